package functions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
	"github.com/twilio/twilio-go/twiml"
)

// waitExperience is what callers hear in the queue: music and, on demand, a
// menu that offers a callback or a voicemail instead of waiting.
//
// It always answers with TwiML that has a next step: the queue, a callback, a
// voicemail, or the end of the call. A caller who asks for a callback leaves
// the queue only once the callback exists, and one who asks for a voicemail
// only once the call has been redirected to it. If that fails, the caller is
// told so and keeps waiting. It is deduplicated for a minute: a request that
// Twilio repeats, because the answer was lost, gets the same TwiML and does not
// create a second callback.
func waitExperience(c *Config) []flexfn.Route {
	return []flexfn.Route{{
		Path: waitPath,
		Function: flexfn.PrepareStudioFunction(func(ctx context.Context, in waitParams) (*flexfn.Response, error) {
			w := waiting{Config: c, waitParams: in.sane()}
			return w.answer(ctx)
		}, flexfn.Deadline(waitDeadline), flexfn.Deduplicate(time.Minute), flexfn.Doc("Plays TwiML to callers in a queue, who may ask for a callback or leave a voicemail.")),
	}}
}

const (
	waitPath = "/features/callback-and-voicemail/studio/wait-experience"
	// Twilio waits 15 s for TwiML. Requests to its API end before that, so
	// that there is always time for an answer.
	waitDeadline = 13 * time.Second
	waitUpstream = 11 * time.Second
	// Callers hear nothing while their task is looked for. It is looked for again
	// after the music.
	waitSearch = 5 * time.Second
)

// The modes are states; each link leads to one. They have the template's names,
// since flows and running calls contain such links.
const (
	waitFind           = "initialize"
	waitLoop           = "main-wait-loop"
	waitPressed        = "handle-initial-choice"
	waitChosen         = "handle-callback-or-voicemail-choice"
	waitNumberChosen   = "handle-callback-choice"
	waitNumberGiven    = "handle-callback-for-other-number-confirmation-option"
	waitNumberChecked  = "handle-callback-for-other-number-confirmation"
	waitCallback       = "submit-callback"
	waitRecord         = "record-voicemail"
	waitRecorded       = "voicemail-recorded"
	waitSaveVoicemail  = "submit-voicemail"
	mostSilentMessages = 3
)

// waitParams come from the flow that enqueues the call, from Twilio, and from
// the links that this function makes. None is required, so that a caller never
// hears an error because one is missing.
type waitParams struct {
	Mode          string   `json:"mode" doc:"what comes next; the beginning when left out"`
	Call          optional `json:"CallSid" doc:"the call"`
	Queue         optional `json:"QueueSid" doc:"the queue that the call is in"`
	Digits        string   `json:"Digits" doc:"what the caller pressed"`
	Caller        optional `json:"Caller" doc:"number of the caller"`
	Called        optional `json:"Called" doc:"number that was called"`
	Task          optional `json:"enqueuedTaskSid" doc:"the call's task"`
	SkipGreeting  string   `json:"skipGreeting" doc:"true after the caller was greeted"`
	To            optional `json:"to" doc:"number to call back"`
	Entered       optional `json:"updatedPhoneNumber" doc:"number that the caller entered"`
	CallerNumber  optional `json:"callerNumber" doc:"number of the caller, when Twilio reports a transcription"`
	CalledNumber  optional `json:"calledNumber" doc:"number that was called, when Twilio reports a transcription"`
	Silences      string   `json:"silences" doc:"how often no message was left"`
	Recording     optional `json:"RecordingSid" doc:"the voicemail's recording"`
	RecordingURL  optional `json:"RecordingUrl" doc:"address of the recording"`
	Duration      string   `json:"RecordingDuration" doc:"length of the recording, in seconds"`
	TranscriptSID optional `json:"TranscriptionSid" doc:"the voicemail's transcription"`
	Transcript    optional `json:"TranscriptionText" doc:"what the transcription says"`
}

// sane drops values that are not SIDs, since a bad link must not cost callers
// their place. Choices that need a dropped value are not offered, and the music
// plays on.
func (p waitParams) sane() waitParams {
	for prefix, sid := range map[string]*optional{"CA": &p.Call, "QU": &p.Queue, "WT": &p.Task, "RE": &p.Recording} {
		if !flexfn.ValidSID(string(*sid), prefix) {
			*sid = ""
		}
	}
	p.Digits = strings.TrimSpace(p.Digits)
	return p
}

// waiting is one request for a waiting caller. base is this function's own URL:
// links are absolute, since Twilio needs that when a call is updated.
type waiting struct {
	*Config
	waitParams
	base string
}

// answer returns the TwiML for the mode. The exception is a voicemail, whose
// transcription Twilio reports after the caller has hung up. After a panic the
// caller does not get what they asked for, but keeps their place.
func (w *waiting) answer(ctx context.Context) (answer *flexfn.Response, err error) {
	w.base = publicURL(ctx, waitPath)
	upstream, cancel := context.WithTimeout(ctx, waitUpstream)
	defer cancel()
	if w.Mode == waitSaveVoicemail {
		return w.saveVoicemail(upstream)
	}
	app := flexfn.FromContext(ctx).Config()
	if app.PublicURL == "" || app.WorkspaceSID == "" || w.CallbackWorkflowSID == "" {
		// Without these, nothing can be offered, and links might lead nowhere.
		return twilioapi.TwiML(w.say(w.words.Notice), &twiml.VoicePlay{Url: w.words.Music, Loop: "0"})
	}
	defer func() {
		if p := recover(); p != nil {
			flexfn.Logger(ctx).Error("the wait experience panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			answer, err = twilioapi.TwiML(w.sorry()...)
		}
	}()
	return twilioapi.TwiML(w.verbs(upstream)...)
}

// verbs returns what the caller hears in the mode. A choice that was not
// offered leads back to the music; so does an unknown mode, with an apology.
func (w *waiting) verbs(ctx context.Context) []twiml.Element {
	switch w.Mode {
	case "", waitFind:
		w.Task = optional(w.findTask(ctx))
		return []twiml.Element{w.goTo(waitLoop, w.greeted()...)}
	case waitLoop:
		return w.loop()
	case waitPressed:
		if strings.HasPrefix(w.Digits, "*") {
			return []twiml.Element{w.gather(2, 0, w.link(waitChosen), w.words.Menu), w.back()}
		}
	case waitChosen:
		switch {
		case w.Digits == "1" && w.words.offers(offerCallback):
			return []twiml.Element{w.gather(5, 1, w.link(waitNumberChosen), w.words.ConfirmNumber), w.back()}
		case w.Digits == "2" && w.words.offers(offerVoicemail):
			return w.toVoicemail(ctx)
		}
	case waitNumberChosen:
		switch {
		case w.Digits == "1" && validNumber(string(w.Caller)):
			return []twiml.Element{w.goTo(waitCallback, "to", string(w.Caller))}
		case w.Digits == "1" || w.Digits == "2": // a caller without a number has to give one
			return []twiml.Element{w.askNumber(), w.back()}
		}
	case waitNumberGiven:
		number := w.international(w.Digits)
		if number == "" {
			return []twiml.Element{w.say(w.words.NoNumber), w.back()}
		}
		confirm := w.gather(15, 1, w.link(waitNumberChecked, "updatedPhoneNumber", number), w.words.ConfirmEntered)
		confirm.FinishOnKey, confirm.Method = "#", http.MethodGet
		return []twiml.Element{w.sayNumber(number), confirm, w.back()}
	case waitNumberChecked:
		switch {
		case w.Digits == "1" && validNumber(string(w.Entered)):
			return []twiml.Element{w.goTo(waitCallback, "to", string(w.Entered))}
		case w.Digits == "2":
			return []twiml.Element{w.askNumber(), w.back()}
		}
	case waitCallback:
		return w.requestCallback(ctx)
	case waitRecord:
		return w.record()
	case waitRecorded:
		if seconds, err := strconv.Atoi(w.Duration); err == nil && seconds <= 2 {
			// Twilio does not transcribe so short a message, and it would never
			// reach an agent.
			return []twiml.Element{w.say(w.words.NoMessage), w.askAgain()}
		}
		return []twiml.Element{w.say(w.words.MessageSaved), &twiml.VoiceHangup{}}
	default:
		return w.sorry()
	}
	return []twiml.Element{w.back()}
}

// greeted returns the parameters of links that keep a caller from being greeted
// twice.
func (w *waiting) greeted() []string {
	if w.SkipGreeting == "true" {
		return []string{"skipGreeting", "true"}
	}
	return nil
}

// findTask finds the task of the call: the newest with its SID, in the workflow
// that the queue is named after. It is "" if there is none yet, or if it cannot
// be found. Twilio may ask for TwiML before the task exists; loop then looks
// again. Like the template, it looks at the 50 newest waiting tasks. A caller
// whose task cannot be found just waits; a failure is only logged.
func (w *waiting) findTask(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, waitSearch)
	defer cancel()
	queue := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Queue, error) {
		if w.Queue == "" || w.Call == "" {
			return nil, errors.New("the request has no CallSid or no QueueSid, so the place in the queue is unknown")
		}
		return api.NewApiService(client).FetchQueue(string(w.Queue), nil)
	})
	if !queue.Success {
		flexfn.Logger(ctx).Warn("a caller waits without being offered a callback: their queue cannot be read", "error", queue.Err())
		return ""
	}
	tasks := twilioapi.ListTasks(ctx, &taskrouter.ListTaskParams{
		AssignmentStatus: &[]string{"pending", "reserved"}, WorkflowSid: queue.Data.FriendlyName,
		Ordering: new("DateCreated:desc"), PageSize: new(50), Limit: new(50),
	})
	if !tasks.Success {
		flexfn.Logger(ctx).Warn("a caller waits without being offered a callback: the tasks cannot be read", "error", tasks.Err())
	}
	for _, task := range tasks.Data {
		if textOf(attributesOf(task.Attributes)["call_sid"]) == string(w.Call) {
			return value(task.Sid)
		}
	}
	return ""
}

// loop plays music. The menu is offered only if the task is known; if not, the
// task is looked for again after the music. The music is inside the Gather that
// offers the menu, so that star works while it plays. When it ends, Twilio asks
// for the loop again. If nothing is ever offered, there is only the music.
func (w *waiting) loop() []twiml.Element {
	var verbs []twiml.Element
	if w.SkipGreeting != "true" {
		verbs = append(verbs, w.say(w.words.Greeting))
	}
	switch {
	case len(w.words.Offers) == 0:
		return append(verbs, w.say(w.words.Notice), &twiml.VoicePlay{Url: w.words.Music}, w.back())
	case w.Task == "":
		return append(verbs, w.say(w.words.Notice), &twiml.VoicePlay{Url: w.words.Music}, w.goTo(waitFind, "skipGreeting", "true"))
	}
	offer := w.gather(2, 0, w.link(waitPressed), w.words.Offer)
	offer.InnerElements = append(offer.InnerElements, &twiml.VoicePlay{Url: w.words.Music})
	return append(verbs, offer, w.back())
}

// requestCallback creates the callback, and then removes the call's own task
// from the queue. If the first step fails, or the second, in which case the
// first is undone, the caller keeps waiting. In this order, a failure in
// between leaves the caller with two places rather than none. The callback
// keeps the caller's place; see callback.inTurn.
func (w *waiting) requestCallback(ctx context.Context) []twiml.Element {
	if !validNumber(string(w.To)) {
		return []twiml.Element{w.say(w.words.NoNumber), w.back()}
	}
	task, verbs := w.queued(ctx)
	if task == nil {
		return verbs
	}
	created, err := w.createCallbackTask(ctx, callback{Number: string(w.To), From: string(w.Called), inTurn: true}, task)
	if err != nil {
		return w.goOn(ctx, "the callback cannot be created", err)
	}
	if err := w.cancel(ctx, "Opted to request a callback"); err != nil {
		sid := value(created.Sid)
		// Use what is left of waitDeadline, less a second for the answer.
		undone, end := context.WithTimeout(context.WithoutCancel(ctx), waitDeadline-waitUpstream-time.Second)
		defer end()
		if failed := twilioapi.SetTaskStatus(undone, sid, "canceled", "The caller still waits").Err(); failed == nil {
			return w.goOn(ctx, "the call's task cannot be canceled", err)
		} else {
			// Both exist now: the caller will be called back, and the task ends
			// with the call.
			flexfn.Logger(ctx).Error("a caller who asked for a callback still has a task in the queue", "callback", sid, "task", w.Task, "cause", err, "error", failed)
		}
	}
	return []twiml.Element{w.say(w.words.CallbackRequested), &twiml.VoiceHangup{}}
}

// queued reads the call's task. If the task cannot be read or has left the
// queue, queued returns nil, and what the caller hears instead. An agent may be
// taking the call at this moment; the caller then hears music until they are
// connected.
func (w *waiting) queued(ctx context.Context) (*taskrouter.TaskrouterV1Task, []twiml.Element) {
	if w.Task == "" {
		return nil, []twiml.Element{w.back()}
	}
	task := twilioapi.FetchTask(ctx, string(w.Task))
	if err := task.Err(); err != nil {
		return nil, w.goOn(ctx, "the call's task cannot be read", err)
	}
	if status := value(task.Data.AssignmentStatus); status != "pending" && status != "reserved" {
		return nil, []twiml.Element{w.back()} // an agent takes the call
	}
	return task.Data, nil
}

// cancel removes the call's task from the queue. It first writes the attributes
// that reports read, and ignores a failure to do so. Twilio no longer changes
// attributes and status in one request. A task that no longer exists, or has
// already ended, counts as canceled. Twilio's code 20001 has several causes, so
// the task is read again after it.
func (w *waiting) cancel(ctx context.Context, reason string) error {
	sid := string(w.Task)
	noted := twilioapi.UpdateTaskAttributes(ctx, sid, json.RawMessage(`{"conversations":{"abandoned":"Follow-Up"}}`))
	if err := noted.Err(); err != nil {
		flexfn.Logger(ctx).Warn("the reason why a caller stopped waiting could not be written into their task", "task", sid, "error", err)
	}
	res := twilioapi.SetTaskStatus(ctx, sid, "canceled", reason)
	if res.Success && res.Data == nil { // it was too late, or done already
		now := twilioapi.FetchTask(ctx, sid)
		switch {
		case now.Status == http.StatusNotFound:
			return nil
		case !now.Success:
			return now.Err()
		}
		if status := value(now.Data.AssignmentStatus); status != "canceled" && status != "completed" {
			return fmt.Errorf("the task is %s", status)
		}
	}
	return res.Err()
}

// toVoicemail redirects the call to the voicemail, and then cancels its task. A
// call that cannot be redirected stays in the queue. The task is canceled last,
// so that the call always has a place in the queue or in the voicemail.
func (w *waiting) toVoicemail(ctx context.Context) []twiml.Element {
	if task, verbs := w.queued(ctx); task == nil {
		return verbs
	}
	moved := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*api.ApiV2010Call, error) {
		if w.Call == "" {
			return nil, errors.New("the request has no CallSid, so the call is unknown")
		}
		return api.NewApiService(client).UpdateCall(string(w.Call), &api.UpdateCallParams{Url: new(w.link(waitRecord)), Method: new(http.MethodPost)})
	})
	if err := moved.Err(); err != nil {
		return w.goOn(ctx, "the call cannot be led to the voicemail", err)
	}
	if err := w.cancel(ctx, "Opted to leave a voicemail"); err != nil {
		flexfn.Logger(ctx).Error("a caller who leaves a voicemail still has a task in the queue", "task", w.Task, "error", err)
	}
	return nil // the call is elsewhere by now
}

// record asks for the message. It gives up after three prompts, since a silent
// caller has hung up or has changed their mind; the template never gives up.
// Twilio's Record ends a message after 10 s of silence, with star, or after
// 119 s: Twilio transcribes only recordings of less than two minutes (its warning
// 13617), and the message becomes a task when Twilio reports the transcription.
func (w *waiting) record() []twiml.Element {
	if w.silent() >= mostSilentMessages {
		return []twiml.Element{w.say(w.words.Goodbye), &twiml.VoiceHangup{}}
	}
	silences := "" // none so far
	if w.silent() > 0 {
		silences = strconv.Itoa(w.silent())
	}
	return []twiml.Element{
		w.say(w.words.LeaveMessage),
		&twiml.VoiceRecord{
			Action: w.link(waitRecorded, "silences", silences), Method: http.MethodGet,
			PlayBeep: "true", Timeout: "10", FinishOnKey: "*", MaxLength: "119", Transcribe: "true",
			TranscribeCallback: w.link(waitSaveVoicemail, "calledNumber", string(w.Called), "callerNumber", string(w.Caller)),
		},
		w.say(w.words.NoMessage),
		w.askAgain(),
	}
}

// silent returns how often the caller has left no message so far.
func (w *waiting) silent() int {
	n, _ := strconv.Atoi(w.Silences) // anything else is 0
	return max(n, 0)
}

// askAgain asks for the message once more.
func (w *waiting) askAgain() twiml.Element {
	return w.goTo(waitRecord, "silences", strconv.Itoa(w.silent()+1))
}

// saveVoicemail creates the task of a recorded message. The caller has hung up,
// so a failure is answered as a failure, for Twilio's log. The new task keeps
// the place of the call's task. If that one cannot be read, the message still
// gets a task. Twilio calls this once the transcription is done or has failed.
func (w *waiting) saveVoicemail(ctx context.Context) (*flexfn.Response, error) {
	var old *taskrouter.TaskrouterV1Task
	if w.Task != "" {
		fetched := twilioapi.FetchTask(ctx, string(w.Task))
		if old = fetched.Data; !fetched.Success {
			flexfn.Logger(ctx).Warn("a voicemail does not keep the place of its call in the queue: the task cannot be read", "task", w.Task, "error", fetched.Err())
		} else if attributesOf(old.Attributes) == nil {
			old = nil
		}
	}
	_, err := createdTask(w.createCallbackTask(ctx, callback{
		Number: string(w.CallerNumber), From: string(w.CalledNumber), inTurn: true,
		Recording: string(w.Recording), RecordingURL: string(w.RecordingURL), TranscriptSID: string(w.TranscriptSID), Words: string(w.Transcript),
	}, old))
	if err != nil {
		return nil, err
	}
	return twilioapi.TwiML()
}

// goOn tells the caller that something did not work, and returns them to the
// queue. The log says why; the caller always hears the same text.
func (w *waiting) goOn(ctx context.Context, what string, err error) []twiml.Element {
	flexfn.Logger(ctx).Error("a caller keeps waiting: "+what, "task", w.Task, "call", w.Call, "error", err)
	return w.sorry()
}

func (w *waiting) sorry() []twiml.Element { return []twiml.Element{w.say(w.words.Failed), w.back()} }

// international returns a number that the caller entered in E.164 form. A
// number that looks like a national one of North America gets the caller's own
// country code; any other gets a plus sign. It returns "" if the result is not
// a number. It needs at least seven digits, although E.164 would allow fewer.
func (w *waiting) international(digits string) string {
	digits = strings.TrimPrefix(digits, "+")
	if len(digits) == 10 && strings.HasPrefix(string(w.Caller), "+1") {
		digits = "1" + digits
	}
	if number := "+" + digits; len(digits) >= 7 && validNumber(number) {
		return number
	}
	return ""
}

// validNumber reports whether s is a telephone number in E.164 form (ITU-T
// E.164, section 6). Such a number has a plus sign, a country code that does
// not begin with 0, and at most 15 digits in all.
func validNumber(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	return ok && len(digits) >= 2 && len(digits) <= 15 && digits[0] != '0' && strings.Trim(digits, "0123456789") == ""
}

// link returns the URL of a mode, with more parameters as pairs. Empty
// parameters are left out. Every link names the call and its task, so that
// instances need not remember anything.
func (w *waiting) link(mode string, more ...string) string {
	query := url.Values{"mode": {mode}}
	for i, pairs := 0, append([]string{"CallSid", string(w.Call), "enqueuedTaskSid", string(w.Task)}, more...); i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return w.base + "?" + query.Encode()
}

func (w *waiting) goTo(mode string, more ...string) twiml.Element {
	return &twiml.VoiceRedirect{Url: w.link(mode, more...)}
}

// back returns to the music. It skips the greeting, which the caller has heard.
func (w *waiting) back() twiml.Element { return w.goTo(waitLoop, "skipGreeting", "true") }

func (w *waiting) say(text string) *twiml.VoiceSay {
	return &twiml.VoiceSay{Message: text, Voice: w.words.Voice, Language: w.words.Language}
}

// gather says text and asks for digits digits, or any number if digits is zero.
// timeout is how many seconds Twilio waits for the next key. If no key comes,
// Twilio continues with the verb after it.
func (w *waiting) gather(timeout, digits int, action, text string) *twiml.VoiceGather {
	g := &twiml.VoiceGather{
		Input: "dtmf", Timeout: strconv.Itoa(timeout), Action: action, InnerElements: []twiml.Element{w.say(text)},
	}
	if digits > 0 {
		g.NumDigits = strconv.Itoa(digits)
	}
	return g
}

// askNumber asks for up to 13 digits, ended by the pound key or by 10 s of
// silence.
func (w *waiting) askNumber() twiml.Element {
	g := w.gather(10, 13, w.link(waitNumberGiven), w.words.EnterNumber)
	g.FinishOnKey, g.Method = "#", http.MethodGet
	return g
}

// sayNumber reads a number out, digit by digit. Without say-as it might be read
// as one large number.
func (w *waiting) sayNumber(number string) twiml.Element {
	s := w.say(w.words.YouEntered + " ")
	s.InnerElements = []twiml.Element{sayAs{number}}
	return s
}

// sayAs is SSML's say-as, which twilio-go writes differently.
type sayAs struct{ number string }

func (sayAs) GetName() string                   { return "say-as" }
func (s sayAs) GetText() string                 { return s.number }
func (sayAs) GetInnerElements() []twiml.Element { return nil }
func (sayAs) GetAttr() (_, _ map[string]string) {
	return nil, map[string]string{"interpret-as": "telephone"}
}
