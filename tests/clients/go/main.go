// golang.org/x/oauth2 logs in with the credentials in the header and in the form, refreshes, and reads the error of a wrong
// password. golang-jwt verifies the access tokens by the published keys, which the metadata of the realm lead to.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
)

// profileEmail reads the caller's own profile.
func profileEmail(client *http.Client, issuer string) (string, error) {
	response, err := client.Get(issuer + "/")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var profile struct {
		Email string `json:"email"`
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the profile answers %s", response.Status)
	}
	err = json.NewDecoder(response.Body).Decode(&profile)
	return profile.Email, err
}

// verify reads an access token as a resource server does: by key set, algorithm, issuer and audience, without leeway.
func verify(token string) error {
	url, realm := os.Getenv("PORTCULLIS_URL"), os.Getenv("PORTCULLIS_REALM")
	response, err := http.Get(url + "/.well-known/oauth-authorization-server/" + realm)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var metadata struct {
		Issuer  string `json:"issuer"`
		JwksURI string `json:"jwks_uri"`
	}
	if err := json.NewDecoder(response.Body).Decode(&metadata); err != nil {
		return err
	}
	keys, err := keyfunc.NewDefault([]string{metadata.JwksURI})
	if err != nil {
		return err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(metadata.Issuer),
		jwt.WithAudience(realm), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	parsed, err := parser.Parse(token, keys.Keyfunc)
	if err != nil {
		return fmt.Errorf("golang-jwt: %w", err)
	}
	subject, err := parsed.Claims.GetSubject()
	if err != nil || subject != os.Getenv("PORTCULLIS_USER") {
		return fmt.Errorf("golang-jwt: the subject is %q", subject)
	}
	_, err = jwt.NewParser(jwt.WithAudience("User2")).Parse(token, keys.Keyfunc)
	if !errors.Is(err, jwt.ErrTokenInvalidAudience) {
		return fmt.Errorf("golang-jwt: a token of another realm: %w", err)
	}
	return nil
}

func run(style oauth2.AuthStyle) error {
	issuer := os.Getenv("PORTCULLIS_URL") + "/" + os.Getenv("PORTCULLIS_REALM")
	email, password := os.Getenv("PORTCULLIS_EMAIL"), os.Getenv("PORTCULLIS_PASSWORD")
	ctx := context.Background()
	config := oauth2.Config{
		ClientID:     os.Getenv("PORTCULLIS_CLIENT_ID"),
		ClientSecret: os.Getenv("PORTCULLIS_CLIENT_SECRET"),
		Endpoint:     oauth2.Endpoint{TokenURL: issuer + "/token", AuthStyle: style},
	}
	token, err := config.PasswordCredentialsToken(ctx, email, password)
	if err != nil {
		return err
	}
	if token.Type() != "Bearer" || token.RefreshToken == "" || time.Until(token.Expiry) < time.Minute {
		return fmt.Errorf("the pair of tokens: %s, expires %s", token.Type(), token.Expiry)
	}
	if err := verify(token.AccessToken); err != nil {
		return err
	}
	expired := *token
	expired.Expiry = time.Now().Add(-time.Minute)
	source := config.TokenSource(ctx, &expired)
	client := oauth2.NewClient(ctx, source)
	found, err := profileEmail(client, issuer)
	if err != nil {
		return err
	}
	refreshed, err := source.Token()
	if err != nil {
		return err
	}
	if found != email || refreshed.AccessToken == token.AccessToken || refreshed.RefreshToken == token.RefreshToken {
		return fmt.Errorf("the profile of %q after a refresh", found)
	}
	_, err = config.PasswordCredentialsToken(ctx, email, password+"x")
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		return fmt.Errorf("a wrong password: %w", err)
	}
	return nil
}

func main() {
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams, oauth2.AuthStyleAutoDetect} {
		if err := run(style); err != nil {
			log.Fatalf("style %d: %v", style, err)
		}
	}
	fmt.Println("golang.org/x/oauth2 logs in, and golang-jwt verifies")
}
