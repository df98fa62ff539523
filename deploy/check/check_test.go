// Package check checks the recipes in deploy/ with the tools of their platforms,
// as far as those are Go modules.
package check

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/awslabs/goformation/v7/intrinsics"
	"github.com/awslabs/goformation/v7/schema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/yaml"

	"github.com/flexfn/flexfn/host"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// strict decodes YAML or JSON and refuses fields that v does not have.
func strict(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(data, v); err != nil {
		t.Fatal(err)
	}
}

// healthPaths checks that the probes use paths that package host answers.
func healthPaths(t *testing.T, c corev1.Container, startup bool) {
	t.Helper()
	probes := map[string]*corev1.Probe{host.ReadyPath: c.ReadinessProbe, host.HealthPath: c.LivenessProbe}
	if startup {
		probes[host.ReadyPath] = c.StartupProbe
	}
	for path, p := range probes {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Path != path {
			t.Errorf("no probe asks for %s: %+v", path, p)
		}
	}
}

// confined checks that a container has no privileges that it does not need.
func confined(t *testing.T, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("the security context is %+v", s)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		t.Errorf("the resources are %+v", c.Resources)
	}
}

// keepsSecrets checks that the auth token comes from a secret, by its key, and
// that the image has a version.
func keepsSecrets(t *testing.T, c corev1.Container) {
	t.Helper()
	if len(c.EnvFrom) != 0 {
		t.Errorf("all of %+v becomes environment", c.EnvFrom)
	}
	i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "AUTH_TOKEN" })
	if i < 0 || c.Env[i].ValueFrom == nil || c.Env[i].ValueFrom.SecretKeyRef == nil {
		t.Error("AUTH_TOKEN does not come from a secret")
	}
	if _, version, _ := strings.Cut(c.Image, ":"); version == "" || version == "latest" {
		t.Errorf("the image %q has no version", c.Image)
	}
}

func config(t *testing.T, env []corev1.EnvVar) host.Config {
	t.Helper()
	return host.FromLookup(func(name string) (string, bool) {
		for _, e := range env {
			if e.Name == name {
				return e.Value, true
			}
		}
		return "", false
	})
}

func TestKubernetes(t *testing.T) {
	documents := bytes.Split(read(t, "kubernetes/flexfn.yaml"), []byte("\n---\n"))
	if len(documents) != 5 {
		t.Fatalf("%d documents", len(documents))
	}
	var deployment appsv1.Deployment
	var service corev1.Service
	var network networkingv1.NetworkPolicy
	var budget policyv1.PodDisruptionBudget
	var scaler autoscalingv2.HorizontalPodAutoscaler
	for i, v := range []any{&deployment, &service, &network, &budget, &scaler} {
		strict(t, documents[i], v)
	}
	pod := deployment.Spec.Template
	labels := pod.Labels
	for what, selector := range map[string]map[string]string{
		"deployment": deployment.Spec.Selector.MatchLabels, "service": service.Spec.Selector, "budget": budget.Spec.Selector.MatchLabels,
		"network policy": network.Spec.PodSelector.MatchLabels,
	} {
		for k, v := range selector {
			if labels[k] != v {
				t.Errorf("the %s selects %s=%s, the pods have %q", what, k, v, labels[k])
			}
		}
		if len(selector) == 0 {
			t.Errorf("the %s selects everything", what)
		}
	}
	if scaler.Spec.ScaleTargetRef.Name != deployment.Name {
		t.Errorf("the autoscaler scales %q", scaler.Spec.ScaleTargetRef.Name)
	}
	c := pod.Spec.Containers[0]
	if service.Spec.Ports[0].TargetPort.StrVal != c.Ports[0].Name {
		t.Errorf("the service's port is for %q, the container's is %q", service.Spec.Ports[0].TargetPort.StrVal, c.Ports[0].Name)
	}
	if in := network.Spec.Ingress[0]; len(network.Spec.PolicyTypes) != 2 || len(in.From) == 0 || in.Ports[0].Port.StrVal != c.Ports[0].Name {
		t.Errorf("the network policy lets in %+v", network.Spec)
	}
	healthPaths(t, c, false)
	confined(t, c)
	keepsSecrets(t, c)
	if !*pod.Spec.SecurityContext.RunAsNonRoot || *pod.Spec.AutomountServiceAccountToken {
		t.Error("the pod may run as root, or has the cluster's token")
	}
	cfg := config(t, append(slices.Clone(c.Env), corev1.EnvVar{Name: "KUBERNETES_SERVICE_HOST", Value: "10.0.0.1"}))
	wait := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + cfg.LameDuck
	drain := cmp.Or(cfg.Drain, 20*time.Second)
	if grace := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; wait < 5*time.Second || wait+drain >= grace {
		t.Errorf("the pod gets %s to end, and takes %s until it stops listening and %s to drain", grace, wait, drain)
	}
}

func TestKnative(t *testing.T) {
	for _, file := range []string{"knative/service.yaml", "cloud-run/service.yaml"} {
		t.Run(file, func(t *testing.T) {
			var service servingv1.Service
			strict(t, read(t, file), &service)
			service.SetDefaults(t.Context())
			// Cloud Run takes care of what Knative warns about.
			if err := service.Validate(t.Context()).Filter(apis.ErrorLevel); err != nil {
				t.Fatal(err)
			}
			spec := service.Spec.Template.Spec
			c := spec.Containers[0]
			keepsSecrets(t, c)
			cfg := config(t, c.Env)
			if limit := time.Duration(*spec.TimeoutSeconds) * time.Second; cfg.RequestLimit != limit {
				t.Errorf("the platform gives a request %s, the program assumes %s", limit, cfg.RequestLimit)
			}
			if strings.HasPrefix(file, "knative") {
				confined(t, c)
				healthPaths(t, c, false)
			} else {
				healthPaths(t, c, true)
			}

			broken := service.DeepCopy()
			broken.Spec.Template.Spec.Containers[0].Ports = append(broken.Spec.Template.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: 1})
			if broken.Validate(t.Context()).Filter(apis.ErrorLevel) == nil {
				t.Error("the check passes whatever it is given")
			}
		})
	}
}

func TestSAM(t *testing.T) {
	schemaJSON, err := jsonschema.UnmarshalJSON(strings.NewReader(schema.SamSchema))
	if err != nil {
		t.Fatal(err)
	}
	delete(schemaJSON.(map[string]any), "$id") // that of the draft itself
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	if err := compiler.AddResource("sam.json", schemaJSON); err != nil {
		t.Fatal(err)
	}
	sam, err := compiler.Compile("sam.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(template []byte) error {
		t.Helper()
		data, err := intrinsics.ProcessYAML(template, nil)
		if err != nil {
			return err
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return sam.Validate(v)
	}
	for file, secrets := range map[string][]string{
		"aws-lambda/template.yaml":        {"AUTH_TOKEN"},
		"aws-lambda/events/template.yaml": {"AUTH_TOKEN", "REDIS_URL", "FLEXFN_STORE_SECRET"},
	} {
		template := read(t, file)
		if err := validate(template); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, name := range secrets {
			if !bytes.Contains(template, []byte(name+": !Sub \"{{resolve:secretsmanager:")) {
				t.Errorf("%s: %s does not come from Secrets Manager", file, name)
			}
		}
		if validate(bytes.Replace(template, []byte("MemorySize:"), []byte("Memory:"), 1)) == nil {
			t.Errorf("%s: the check passes whatever it is given", file)
		}
	}
	if !bytes.Contains(read(t, "aws-lambda/events/template.yaml"), []byte("FunctionResponseTypes: [ReportBatchItemFailures]")) {
		t.Error("failed jobs would be deleted with the others of their batch")
	}
}

// TestKubernetesEvents checks the additions of the events recipe to the
// deployment: secrets from a secret, and access to PostgreSQL.
func TestKubernetesEvents(t *testing.T) {
	var patch appsv1.Deployment
	var network networkingv1.NetworkPolicy
	strict(t, read(t, "kubernetes/events/patch.yaml"), &patch)
	strict(t, read(t, "kubernetes/events/network.yaml"), &network)
	pod := patch.Spec.Template.Spec
	if len(pod.InitContainers) != 1 || len(pod.Containers) != 1 || pod.Containers[0].Name != "flexfn" {
		t.Fatalf("%+v", pod)
	}
	for _, c := range []corev1.Container{pod.InitContainers[0], pod.Containers[0]} {
		if _, version, _ := strings.Cut(c.Image, ":"); version == "" || version == "latest" {
			t.Errorf("the image %q has no version", c.Image)
		}
		i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "DATABASE_URL" })
		if i < 0 || c.Env[i].ValueFrom == nil || c.Env[i].ValueFrom.SecretKeyRef == nil {
			t.Errorf("%s: DATABASE_URL does not come from a secret", c.Name)
		}
	}
	if !slices.ContainsFunc(pod.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == "FLEXFN_STORE_SECRET" }) {
		t.Error("the Store has no secret")
	}
	if port := network.Spec.Egress[0].Ports[0].Port; port.IntValue() != 5432 {
		t.Errorf("the policy allows the port %s", port)
	}
}

// TestAzure checks the files that the Functions host reads. No Go module
// validates them; see
// https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers.
func TestAzure(t *testing.T) {
	var hostJSON struct {
		Version         string
		FunctionTimeout string
		Extensions      struct {
			HTTP struct{ RoutePrefix *string }
		}
		CustomHandler struct {
			Description struct {
				DefaultExecutablePath string
				Arguments             []string
			}
			// The older EnableForwardingHttpRequest rebuilds requests.
			EnableProxyingHTTPRequest bool
		}
	}
	var function struct {
		Bindings []struct {
			Type, Direction, Name, AuthLevel, Route string
			Methods                                 []string
		}
	}
	for file, v := range map[string]any{"azure-functions/host.json": &hostJSON, "azure-functions/all/function.json": &function} {
		d := json.NewDecoder(bytes.NewReader(read(t, file)))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	handler := hostJSON.CustomHandler
	if hostJSON.Version != "2.0" || !handler.EnableProxyingHTTPRequest || handler.Description.DefaultExecutablePath == "" || hostJSON.Extensions.HTTP.RoutePrefix == nil {
		t.Errorf("host.json is %+v", hostJSON)
	}
	in := function.Bindings[0]
	if in.Type != "httpTrigger" || in.AuthLevel != "anonymous" || in.Route != "{*path}" || !slices.Contains(in.Methods, "options") || function.Bindings[1].Direction != "out" {
		t.Errorf("function.json is %+v", function)
	}
}

// TestOpenFaaS checks that the stack and the image agree with package host. No
// Go module validates them.
func TestOpenFaaS(t *testing.T) {
	var stack struct {
		Version   string
		Provider  struct{ Name, Gateway string }
		Functions map[string]struct {
			Lang, Handler, Image   string
			ReadonlyRootFilesystem bool `json:"readonly_root_filesystem"`
			Environment            map[string]string
			Secrets                []string
			Requests, Limits       struct{ CPU, Memory string }
		}
	}
	strict(t, read(t, "openfaas/stack.yaml"), &stack)
	f := stack.Functions["flexfn"]
	env := f.Environment
	if path := env["AUTH_TOKEN_FILE"]; len(f.Secrets) != 1 || path != "/var/openfaas/secrets/"+f.Secrets[0] {
		t.Errorf("AUTH_TOKEN_FILE is %q, and the secrets are %q", path, f.Secrets)
	}
	for line := range strings.Lines(string(read(t, "openfaas/Dockerfile"))) {
		if assignment, ok := strings.CutPrefix(line, "ENV "); ok {
			name, value, _ := strings.Cut(strings.TrimSpace(assignment), "=")
			env[name] = strings.Trim(value, `"`)
		}
	}
	cfg := host.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if cfg.Platform != host.OpenFaaS || cfg.Listen != "127.0.0.1:8082" || cfg.RequestLimit != 15*time.Second || cfg.LameDuck != 6*time.Second {
		t.Errorf("the program finds %s on %s with %s a request, and ends after %s", cfg.Platform, cfg.Listen, cfg.RequestLimit, cfg.LameDuck)
	}
}

// TestIgnored checks that git and container builders ignore the files that the
// recipes write: credentials and programs.
func TestIgnored(t *testing.T) {
	files := []string{".env", ".env.local", "examples/crm/.env.production", "state.json", "flexfn.state.json", "deploy/azure-functions/flexfn", "deploy/aws-lambda/build/flexfn"}
	command := exec.Command("git", append([]string{"check-ignore", "--no-index"}, files...)...)
	command.Dir = "../.."
	ignored, err := command.Output()
	if got := strings.Fields(string(ignored)); !slices.Equal(got, files) {
		t.Errorf("git ignores only %q of %q: %v", got, files, err)
	}
	for _, pattern := range []string{"**/.env", "**/.env.*", "**/*state.json", "deploy/azure-functions/flexfn", "deploy/*/build"} {
		if lines := strings.Split(string(read(t, "../.dockerignore")), "\n"); !slices.Contains(lines, pattern) {
			t.Errorf(".dockerignore does not list %s", pattern)
		}
	}
}

// TestSystemd checks that the token comes from a credential, which the program
// finds as a file, and that systemd restarts it however often it is killed.
func TestSystemd(t *testing.T) {
	unit := string(read(t, "systemd/flexfn.service"))
	for _, line := range []string{
		"LoadCredentialEncrypted=auth-token:/etc/credstore.encrypted/flexfn.auth-token", "Environment=AUTH_TOKEN_FILE=%d/auth-token",
		"Restart=on-failure",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit has no line %s", line)
		}
	}
	if general, _, _ := strings.Cut(unit, "\n[Service]\n"); !strings.Contains(general, "\nStartLimitIntervalSec=0\n") { // elsewhere it has no effect
		t.Error("after five kills in ten seconds the unit stays down")
	}
	if strings.Contains(unit, "AUTH_TOKEN=") {
		t.Error("the unit asks for the token itself")
	}
}

func TestFn(t *testing.T) {
	var function struct {
		SchemaVersion          int `json:"schema_version"`
		Name, Version, Runtime string
		Memory, Timeout        int
		IdleTimeout            int `json:"idle_timeout"`
		Triggers               []struct{ Name, Type, Source string }
	}
	strict(t, read(t, "fn/func.yaml"), &function)
	if function.Runtime != "docker" || len(function.Triggers) == 0 || !strings.HasPrefix(function.Triggers[0].Source, "/") {
		t.Errorf("func.yaml is %+v", function)
	}
}
