package twiliofake_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/flexfn/flexfn/twiliofake"
)

// post sends a form to the fake with the development credentials.
func post(fake *twiliofake.Twilio, url string, form url.Values) (int, string) {
	req, err := http.NewRequest("POST", url, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err.Error()
	}
	req.SetBasicAuth(twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := fake.Client().Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

const (
	exampleTask        = "https://taskrouter.twilio.com/v1/Workspaces/WS00000000000000000000000000000001/Tasks/WT00000000000000000000000000000001"
	exampleParticipant = "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Conferences/CF00000000000000000000000000000001/Participants/CA00000000000000000000000000000001.json"
)

func Example() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	status, _ := post(fake, exampleParticipant, url.Values{"Hold": {"true"}})
	customer, _ := fake.Resource("participants", "CA00000000000000000000000000000001")
	fmt.Println(status, customer["hold"])
	// Output: 200 true
}

// A fake on a port, for programs that send Twilio's requests to another
// address and keep the Host header.
func ExampleTwilio_ServeHTTP() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(fake)
	defer server.Close()
	defer fake.Close()

	req, err := http.NewRequest("GET", server.URL+"/v1/Workspaces/WS00000000000000000000000000000001/TaskQueues", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Host = "taskrouter.ie1.twilio.com"
	req.SetBasicAuth(twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
	// Output: 200 OK
}

// Use the fake in memory or on a port.
func ExampleNew() {
	fake, err := twiliofake.New(twiliofake.Config{}) // the development state
	if err != nil {
		fmt.Println(err)
		return
	}
	client := fake.Client()                                       // an *http.Client; its requests reach the fake in memory
	server := &http.Server{Addr: "127.0.0.1:4010", Handler: fake} // or a port; the Host header says which product is meant

	fmt.Println(client.Transport != nil, server.Handler == fake)
	// Output: true true
}

func ExampleTwilio_SetFaults() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The next two updates of a task meet a conflict.
	err = fake.SetFaults(twiliofake.Fault{
		Match: twiliofake.Match{Method: "POST", Host: "taskrouter", Path: "/v1/Workspaces/*/Tasks/*"},
		Times: 2, Status: http.StatusPreconditionFailed,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		status, _ := post(fake, exampleTask, url.Values{"Priority": {"7"}})
		fmt.Println(status)
	}
	// Output:
	// 412
	// 412
	// 200
}

// The call is made, but its answer is lost.
func ExampleFault_apply() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := fake.AddFault(twiliofake.Fault{Action: twiliofake.Reset, Apply: true}); err != nil {
		fmt.Println(err)
		return
	}
	status, _ := post(fake, exampleTask, url.Values{"Priority": {"7"}})
	task, _ := fake.Resource("tasks", "WT00000000000000000000000000000001")
	fmt.Println(status, task["priority"])
	// Output: 0 7
}

func ExampleTwilio_Requests() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	post(fake, exampleParticipant, url.Values{"Muted": {"true"}})
	post(fake, exampleTask, url.Values{"Priority": {"7"}})
	for _, r := range fake.Requests(twiliofake.Match{Host: "api", Path: "/2010-04-01/Accounts/*/Conferences/**"}) {
		fmt.Println(r.Method, r.Host, r.Form.Encode(), r.Status)
	}
	// Output: POST api.twilio.com Muted=true 200
}

func ExampleTwilio_MintToken() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := fake.MintToken(twiliofake.Token{
		User: "ada@example.com", Roles: []string{"supervisor"}, WorkerSID: "WK00000000000000000000000000000003",
	})
	fmt.Println(strings.HasPrefix(token, "fake-"))
	// Output: true
}

func ExampleTwilio_SetResource() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = fake.SetResource("task_queues", twiliofake.Resource{
		"sid": "WQ00000000000000000000000000000009", "workspace_sid": twiliofake.DevelopmentWorkspaceSID, "friendly_name": "Returns",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	queue, _ := fake.Resource("task_queues", "WQ00000000000000000000000000000009")
	fmt.Println(queue["friendly_name"], queue["task_order"])
	fmt.Println(fake.SetResource("task_queues", twiliofake.Resource{"colour": "red"}))
	// Output:
	// Returns FIFO
	// twiliofake: task_queues: unknown field "colour"
}

func ExampleTwilio_Save() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	post(fake, exampleTask, url.Values{"Priority": {"7"}})
	var saved bytes.Buffer
	if err := fake.Save(&saved); err != nil {
		fmt.Println(err)
		return
	}
	later, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := later.Load(&saved); err != nil {
		fmt.Println(err)
		return
	}
	task, _ := later.Resource("tasks", "WT00000000000000000000000000000001")
	fmt.Println(task["priority"], task["_version"])
	// Output: 7 1
}

// Your own state can hold exactly what a test needs.
func ExampleState() {
	fake, err := twiliofake.New(twiliofake.Config{State: &twiliofake.State{
		Resources: map[string][]twiliofake.Resource{
			"accounts":   {{"sid": "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "auth_token": "secret"}},
			"workspaces": {{"sid": "WSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "friendly_name": "Mine"}},
		},
		Tokens: map[string]twiliofake.Token{"t": {User: "bob", Roles: []string{"agent"}}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	workspace, _ := fake.Resource("workspaces", "WSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	fmt.Println(workspace["friendly_name"], workspace["multi_task_enabled"])
	_, err = twiliofake.New(twiliofake.Config{State: &twiliofake.State{}})
	fmt.Println(err)
	// Output:
	// Mine true
	// twiliofake: the state is not valid: accounts: there must be one, with sid and auth_token
}

// The control API changes a running fake, from a terminal or a script.
func Example_control() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(fake)
	defer server.Close()
	defer fake.Close()

	res, err := http.Post(server.URL+twiliofake.ControlPath+"faults", "application/json",
		strings.NewReader(`{"host": "iam", "status": 503, "retry_after": "5"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status, fake.Faults()[0].RetryAfter)
	// Output: 200 OK 5
}

// What a client sees with each action.
func ExampleAction() {
	for _, action := range []twiliofake.Action{twiliofake.HTML, twiliofake.Cut, twiliofake.Reset, twiliofake.ResetAfter, twiliofake.Slow} {
		fake, err := twiliofake.New(twiliofake.Config{})
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := fake.AddFault(twiliofake.Fault{Action: action, Delay: time.Millisecond, Status: http.StatusBadGateway}); err != nil {
			fmt.Println(err)
			return
		}
		req, err := http.NewRequest("GET", exampleTask, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		req.SetBasicAuth(twiliofake.DevelopmentAccountSID, twiliofake.DevelopmentAuthToken)
		res, err := fake.Client().Do(req)
		if err != nil {
			fmt.Println(action, errors.Is(err, syscall.ECONNRESET))
			continue
		}
		_, err = io.ReadAll(res.Body)
		fmt.Println(action, res.StatusCode, res.Header.Get("Content-Type"), err)
		_ = res.Body.Close()
	}
	// Output:
	// html 502 text/html; charset=utf-8 <nil>
	// cut 200 application/json unexpected EOF
	// reset true
	// reset-after true
	// slow 200 application/json <nil>
}

// A rule can strike only the second request, or a share of them, which is the
// same each time for one seed.
func ExampleFault_skip() {
	state := twiliofake.DevelopmentState()
	state.FaultSeed = 3
	fake, err := twiliofake.New(twiliofake.Config{State: &state})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, fault := range []twiliofake.Fault{{Skip: 1, Times: 1}, {Probability: 0.5}} {
		if err := fake.SetFaults(fault); err != nil {
			fmt.Println(err)
			return
		}
		var statuses []int
		for range 4 {
			status, _ := post(fake, exampleTask, url.Values{"Priority": {"7"}})
			statuses = append(statuses, status)
		}
		fmt.Println(statuses)
	}
	// Output:
	// [200 503 200 200]
	// [200 200 200 503]
}

// One fake can serve several cases of a test. Each begins with the same state
// and an empty log.
func ExampleTwilio_SetState() {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fake.RemoveResource("tasks", "WT00000000000000000000000000000001"))
	status, _ := post(fake, exampleTask, url.Values{"Priority": {"7"}})
	fmt.Println(status, len(fake.Requests(twiliofake.Match{})))

	fake.ClearRequests()
	if err := fake.SetState(twiliofake.DevelopmentState()); err != nil {
		fmt.Println(err)
		return
	}
	status, _ = post(fake, exampleTask, url.Values{"Priority": {"7"}})
	fmt.Println(status, len(fake.Requests(twiliofake.Match{})))
	// Output:
	// true
	// 404 1
	// 200 1
}
