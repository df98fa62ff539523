package main

import (
	"strings"
	"testing"

	"github.com/flexfn/flexfn/flexfntest"
)

func TestIncoming(t *testing.T) {
	app := flexfntest.New(t)
	app.Handle("/voice/incoming", incoming)
	for _, test := range []struct {
		params flexfntest.Params
		want   string
	}{
		{flexfntest.Params{"From": "+15550101"}, "<Gather numDigits=\"1\"><Say>Press 1 for sales &amp; support"},
		{flexfntest.Params{"From": "</Say><Dial>1</Dial>", "Digits": "2"}, "<Say>You call from &lt;/Say&gt;&lt;Dial&gt;1&lt;/Dial&gt;</Say><Hangup/>"},
		{flexfntest.Params{"From": "+15550101", "Digits": "1"}, "<Dial>+15550100</Dial>"},
	} {
		answer := app.CallStudio("/voice/incoming", test.params)
		if answer.Status != 200 || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/xml") || !strings.Contains(string(answer.Body), test.want) {
			t.Errorf("%v: the answer is %d %s, want %s in it", test.params, answer.Status, answer.Body, test.want)
		}
	}
	app.CallFlex("", "/voice/incoming", flexfntest.Params{"From": "+15550101"}).Refused(403, "")
}
