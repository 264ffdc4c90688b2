// Logs a user in, verifies the access token in both ways, refreshes the tokens and logs out.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// metadata has the addresses of a realm's endpoints (RFC 8414).
type metadata struct {
	Issuer        string `json:"issuer"`
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	Keys          string `json:"jwks_uri"`
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

type introspection struct {
	Active bool   `json:"active"`
	Sub    string `json:"sub"`
}

// post sends a form; an error has the server's code.
func post(endpoint string, form url.Values, prepare func(*http.Request), answer any) error {
	request, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	prepare(request)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		var problem struct{ Code, Detail string }
		_ = json.NewDecoder(response.Body).Decode(&problem)
		return fmt.Errorf("%s: %s %s: %s", endpoint, response.Status, problem.Code, problem.Detail)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func plain(*http.Request) {}

// logIn logs a user in; address is the user's, so that the rate limit counts each user and not this program.
func logIn(server metadata, address string) (pair tokens, err error) {
	form := url.Values{"grant_type": {"password"}, "username": {os.Getenv("EMAIL")}, "password": {os.Getenv("PASSWORD")}}
	err = post(server.Token, form, func(r *http.Request) { r.Header.Set("X-Forwarded-For", address) }, &pair)
	return pair, err
}

// verifyByKeys verifies a token with the public keys, which keyfunc caches. A logout counts when the token expires.
func verifyByKeys(server metadata, keys keyfunc.Keyfunc, token string) (string, error) {
	parsed, err := jwt.Parse(token, keys.Keyfunc, jwt.WithValidMethods([]string{"EdDSA"}),
		jwt.WithIssuer(server.Issuer), jwt.WithAudience(os.Getenv("REALM")), jwt.WithExpirationRequired())
	if err != nil {
		return "", err
	}
	if parsed.Header["typ"] != "at+jwt" {
		return "", fmt.Errorf("not an access token")
	}
	return parsed.Claims.GetSubject()
}

// introspect asks the server about a token. A logout counts at once.
func introspect(server metadata, token string) (answer introspection, err error) {
	withCredentials := func(r *http.Request) { r.SetBasicAuth(os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET")) }
	err = post(server.Introspection, url.Values{"token": {token}}, withCredentials, &answer)
	return answer, err
}

func run() error {
	response, err := http.Get(os.Getenv("PORTCULLIS_URL") + "/.well-known/oauth-authorization-server/" + os.Getenv("REALM"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var server metadata
	if err := json.NewDecoder(response.Body).Decode(&server); err != nil {
		return err
	}
	keys, err := keyfunc.NewDefault([]string{server.Keys})
	if err != nil {
		return err
	}

	login, err := logIn(server, "203.0.113.7")
	if err != nil {
		return err
	}
	subject, err := verifyByKeys(server, keys, login.Access)
	if err != nil {
		return err
	}
	fmt.Println("keys", subject)
	answer, err := introspect(server, login.Access)
	if err != nil {
		return err
	}
	fmt.Println("introspection", answer.Sub)

	var renewed tokens
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {login.Refresh}}
	if err := post(server.Token, form, plain, &renewed); err != nil {
		return err
	}
	if subject, err = verifyByKeys(server, keys, renewed.Access); err != nil {
		return err
	}
	fmt.Println("refreshed", subject)

	var nothing struct{}
	if err := post(server.Revocation, url.Values{"token": {renewed.Access}}, plain, &nothing); err != nil {
		return err
	}
	if answer, err = introspect(server, renewed.Access); err != nil {
		return err
	}
	fmt.Println("active after logout", answer.Active)
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
