// The client that oapi-codegen makes of the OpenAPI document logs in and reads a profile.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/portcullis-oapi-codegen/portcullis"
)

func run() error {
	ctx, realm := context.Background(), portcullis.User1
	client, err := portcullis.NewClientWithResponses(os.Getenv("PORTCULLIS_URL"))
	if err != nil {
		return err
	}
	email, password := os.Getenv("PORTCULLIS_EMAIL"), os.Getenv("PORTCULLIS_PASSWORD")
	refused, err := client.LoginWithFormdataBodyWithResponse(ctx, realm, portcullis.Login{Username: email, Password: "wrong"})
	if err != nil {
		return err
	}
	if refused.StatusCode() != http.StatusUnauthorized || refused.JSON401.Error != "invalid_grant" {
		return fmt.Errorf("a wrong password: %s", refused.Body)
	}
	login, err := client.LoginWithFormdataBodyWithResponse(ctx, realm, portcullis.Login{Username: email, Password: password})
	if err != nil {
		return err
	}
	if login.JSON200 == nil {
		return fmt.Errorf("the login: %s", login.Body)
	}
	bearer := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+login.JSON200.AccessToken)
		return nil
	}
	profile, err := client.ProfileWithResponse(ctx, realm, &portcullis.ProfileParams{}, bearer)
	if err != nil {
		return err
	}
	if profile.JSON200 == nil || string(profile.JSON200.Email) != email {
		return fmt.Errorf("the profile: %s", profile.Body)
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the client of oapi-codegen logs in")
}
