package twilioapi_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/blind"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twilioapi"
	"github.com/twilio/twilio-go/twiml"
)

func ExampleTwiML() {
	app, err := flexfn.New(flexfn.Config{
		AccountSID: "AC" + strings.Repeat("0", 32), AuthToken: "12345", PublicURL: "https://functions.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	type sms struct {
		Body string `purpose:"text of the message"`
	}
	app.Handle("/webhooks/sms", flexfn.PrepareStudioFunction(func(ctx context.Context, in sms) (*flexfn.Response, error) {
		return twilioapi.TwiML(twiml.MessagingMessage{Body: "You wrote: " + in.Body})
	}))

	const form = "application/x-www-form-urlencoded"
	body := "Body=%3CRedirect%3Ehttps://forged.example%3C/Redirect%3E" // <Redirect>…
	r := httptest.NewRequest("POST", "/webhooks/sms", strings.NewReader(body))
	r.Header.Set("Content-Type", form)
	r.Header.Set("X-Twilio-Signature", signature.Sign("12345", "https://functions.example.com/webhooks/sms", form, []byte(body)))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Header().Get("Content-Type"))
	fmt.Println(w.Body)
	// Output:
	// text/xml; charset=utf-8
	// <?xml version="1.0" encoding="UTF-8"?><Response><Message>You wrote: &lt;Redirect&gt;https://forged.example&lt;/Redirect&gt;</Message></Response>
}

// TestTwiMLOrder: equal verbs give equal text, whatever the order of
// twilio-go's maps.
func TestTwiMLOrder(t *testing.T) {
	dial := &twiml.VoiceDial{Action: "a", CallerId: "b", Method: "c", Record: "d", Timeout: "e", Trim: "f",
		InnerElements: []twiml.Element{&twiml.VoiceNumber{PhoneNumber: "1", Url: "x", Method: "y", Byoc: "z"}}}
	const want = `<?xml version="1.0" encoding="UTF-8"?><Response><Dial action="a" callerId="b" method="c" record="d" timeout="e" trim="f"><Number byoc="z" method="y" url="x">1</Number></Dial></Response>`
	for range 20 {
		if answer, err := twilioapi.TwiML(dial); err != nil || answer.Body != want {
			t.Fatalf("%v, %v", answer.Body, err)
		}
	}
}

// FuzzTwiML looks for text and attributes that change their meaning.
func FuzzTwiML(f *testing.F) {
	for _, s := range []string{"", "a", `"><Hangup/>`, "]]>", "&amp;", "\x00\x1f", "\xff\xfe", "\uFFFE", "line\r\nline", "<!--", "<?x?>", "👋"} {
		f.Add(s)
	}
	blind.Fuzz(f, func(t *testing.T, s string) {
		answer, err := twilioapi.TwiML(&twiml.VoiceSay{Message: s, Language: s}, &twiml.VoiceHangup{})
		if err != nil {
			t.Fatal(err)
		}
		var parsed struct {
			XMLName xml.Name
			Verbs   []struct {
				XMLName  xml.Name
				Language string `xml:"language,attr"`
				Text     string `xml:",chardata"`
				Inner    []struct {
					XMLName xml.Name
				} `xml:",any"`
			} `xml:",any"`
		}
		if err := xml.Unmarshal([]byte(answer.Body.(string)), &parsed); err != nil {
			t.Fatalf("%q: %v", answer.Body, err)
		}
		if len(parsed.Verbs) != 2 || parsed.Verbs[0].XMLName.Local != "Say" || parsed.Verbs[1].XMLName.Local != "Hangup" || len(parsed.Verbs[0].Inner) != 0 {
			t.Fatalf("%q became %q", s, answer.Body)
		}
		if isPlain(s) && (parsed.Verbs[0].Text != s || parsed.Verbs[0].Language != s) {
			t.Fatalf("%q became %q", s, answer.Body)
		}
	})
}

// isPlain reports whether XML keeps every character of s.
func isPlain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0xd800
	})
}
