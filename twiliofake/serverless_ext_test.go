package twiliofake_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"

	serverless "github.com/twilio/twilio-go/rest/serverless/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

// upload sends a version of a function or asset and returns the answer.
func upload(t *testing.T, fake *twiliofake.Twilio, host, path string, fields ...string) answer {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	file, err := w.CreateFormFile("Content", "file")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, "the content") //nolint:errcheck // in memory
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return ask(t, fake, "POST", "https://"+host+".twilio.com/v1/Services/"+path+"/Versions", b.String(), "Content-Type", w.FormDataContentType())
}

// TestServerless publishes a changed asset as the schedule manager does: it
// uploads a version, builds it with the functions of the last build, waits for
// the build, and deploys it.
func TestServerless(t *testing.T) {
	fake := newFake(t)
	api := serverless.NewApiService(newClient(fake))
	service := must[*serverless.ServerlessV1Service](t)(api.CreateService(new(serverless.CreateServiceParams).SetUniqueName("schedules").SetFriendlyName("s")))
	environment := must[*serverless.ServerlessV1Environment](t)(api.CreateEnvironment(*service.Sid, new(serverless.CreateEnvironmentParams).SetUniqueName("dev").SetDomainSuffix("dev")))
	if *environment.DomainName != *service.DomainBase+"-dev.twil.io" || environment.BuildSid != nil {
		t.Errorf("the environment is %+v", environment)
	}
	function := *must[*serverless.ServerlessV1Function](t)(api.CreateFunction(*service.Sid, new(serverless.CreateFunctionParams).SetFriendlyName("f"))).Sid
	asset := *must[*serverless.ServerlessV1Asset](t)(api.CreateAsset(*service.Sid, new(serverless.CreateAssetParams).SetFriendlyName("config"))).Sid

	functionPath, assetPath := *service.Sid+"/Functions/"+function, *service.Sid+"/Assets/"+asset
	code1 := upload(t, fake, "serverless-upload", functionPath, "Path", "/check", "Visibility", "protected").want(t, 201, "path", "/check", "function_sid", function).sid(t)
	config1 := upload(t, fake, "serverless-upload", assetPath, "Path", "/config.json", "Visibility", "private").want(t, 201, "visibility", "private").sid(t)
	upload(t, fake, "serverless-upload", assetPath, "Path", "config.json", "Visibility", "private").want(t, 201, "path", "/config.json")
	upload(t, fake, "serverless-upload", assetPath, "Path", strings.Repeat("x", 255), "Visibility", "private").want(t, 400)
	upload(t, fake, "serverless-upload", assetPath, "Path", "/x", "Visibility", "secret").want(t, 400)
	upload(t, fake, "serverless-upload", assetPath, "Visibility", "private").want(t, 400)
	upload(t, fake, "serverless-upload", *service.Sid+"/Assets/ZH404", "Path", "/x", "Visibility", "private").want(t, 404)
	upload(t, fake, "serverless", assetPath, "Path", "/x", "Visibility", "private").want(t, 405)
	if c := must[*serverless.ServerlessV1FunctionVersionContent](t)(api.FetchFunctionVersionContent(*service.Sid, function, code1)); *c.Content != "the content" || *c.Sid != code1 {
		t.Errorf("the content is %+v", c)
	}
	if v := must[*serverless.ServerlessV1AssetVersion](t)(api.FetchAssetVersion(*service.Sid, asset, config1)); *v.Path != "/config.json" || *v.AssetSid != asset {
		t.Errorf("the version is %+v", v)
	}

	build := func(functions, assets []string) *serverless.ServerlessV1Build {
		t.Helper()
		return must[*serverless.ServerlessV1Build](t)(api.CreateBuild(*service.Sid, new(serverless.CreateBuildParams).
			SetFunctionVersions(functions).SetAssetVersions(assets).SetDependencies(`[{"name":"twilio","version":"5.0.0"}]`)))
	}
	status := func(sid string) string {
		t.Helper()
		return *must[*serverless.ServerlessV1BuildStatus](t)(api.FetchBuildStatus(*service.Sid, sid)).Status
	}
	deploy := func(sid string) error {
		_, err := api.CreateDeployment(*service.Sid, *environment.Sid, new(serverless.CreateDeploymentParams).SetBuildSid(sid))
		return err
	}
	first := build([]string{code1}, []string{config1})
	if *first.Status != "building" || len(*first.FunctionVersions) != 1 || len(*first.Dependencies) != 1 {
		t.Errorf("the build is %+v", first)
	}
	if got := status(*first.Sid); got != "completed" {
		t.Errorf("the build is %s", got)
	}
	if err := deploy(*first.Sid); err != nil {
		t.Error(err)
	}

	config2 := upload(t, fake, "serverless-upload", assetPath, "Path", "/config.json", "Visibility", "private").sid(t)
	last := must[*serverless.ServerlessV1Build](t)(api.FetchBuild(*service.Sid, *first.Sid))
	kept := (*last.FunctionVersions)[0].(map[string]any)["sid"].(string)
	second := build([]string{kept}, []string{config2})
	if err := deploy(*second.Sid); err != nil {
		t.Error(err)
	}
	if e := must[*serverless.ServerlessV1Environment](t)(api.FetchEnvironment(*service.Sid, *environment.Sid)); *e.BuildSid != *second.Sid {
		t.Errorf("the environment has the build %s, want %s", *e.BuildSid, *second.Sid)
	}
	if n := len(must[[]serverless.ServerlessV1Deployment](t)(api.ListDeployment(*service.Sid, *environment.Sid, nil))); n != 2 {
		t.Errorf("%d deployments, want 2", n)
	}

	// These cannot be built or deployed.
	twice := build(nil, []string{config1, config2})
	if got := status(*twice.Sid); got != "failed" {
		t.Errorf("a build with two files at one path is %s", got)
	}
	if got := code(t, deploy(*twice.Sid)); got != "400 20001" {
		t.Errorf("a failed build: %s", got)
	}
	if got := code(t, deploy("ZB404")); got != "400 20001" {
		t.Errorf("a build that does not exist: %s", got)
	}
	_, err := api.CreateBuild(*service.Sid, new(serverless.CreateBuildParams).SetAssetVersions([]string{"ZN404"}))
	if got := code(t, err); got != "400 20001" {
		t.Errorf("an empty build: %s", got)
	}

	// Variables and logs.
	set := new(serverless.CreateVariableParams).SetKey("K").SetValue("v")
	variable := must[*serverless.ServerlessV1Variable](t)(api.CreateVariable(*service.Sid, *environment.Sid, set))
	if _, err := api.CreateVariable(*service.Sid, *environment.Sid, set); code(t, err) != "409 20409" {
		t.Errorf("a second variable of that name: %v", err)
	}
	if v := must[*serverless.ServerlessV1Variable](t)(api.UpdateVariable(*service.Sid, *environment.Sid, *variable.Sid, new(serverless.UpdateVariableParams).SetValue("w"))); *v.Value != "w" || *v.Key != "K" {
		t.Errorf("the variable is %+v", v)
	}
	for i, message := range []string{"one", "two"} {
		if err := fake.SetResource("serverless_logs", twiliofake.Resource{
			"sid": fmt.Sprintf("NO%032x", i+1), "service_sid": *service.Sid, "environment_sid": *environment.Sid, "message": message,
			"function_sid": fmt.Sprintf("ZH%032x", i+1), "date_created": fmt.Sprintf("2026-01-0%dT00:00:00Z", i+1),
		}); err != nil {
			t.Fatal(err)
		}
	}
	logs := "https://serverless.twilio.com/v1/Services/" + *service.Sid + "/Environments/" + *environment.Sid + "/Logs"
	for query, want := range map[string]int{
		"":                                0, // the last day is the default
		"?StartDate=2025-12-31T00:00:00Z": 2, "?StartDate=2025-12-31T00:00:00Z&FunctionSid=ZH00000000000000000000000000000001": 1,
		"?StartDate=2026-01-01T12:00:00Z": 1, "?StartDate=2025-12-31T00:00:00Z&EndDate=2026-01-01T12:00:00Z": 1,
		"?StartDate=2026-01-03T00:00:00Z": 0,
	} {
		if n := len(ask(t, fake, "GET", logs+query, "").want(t, 200).items(t, "logs")); n != want {
			t.Errorf("%d logs for %q, want %d", n, query, want)
		}
	}
	checkLoads(t, fake, newFake(t))
	if err := api.DeleteAsset(*service.Sid, asset); err != nil {
		t.Error(err)
	}
	if _, err := api.FetchAssetVersion(*service.Sid, asset, config1); err == nil {
		t.Error("versions outlive their asset")
	}
}
