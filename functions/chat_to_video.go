package functions

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/pace"
	"github.com/flexfn/flexfn/internal/steps"
	"github.com/flexfn/flexfn/twilioapi"
	video "github.com/twilio/twilio-go/rest/video/v1"
)

// chatToVideo moves a chat to a video room, for an agent.
//
// The room is created before the task is marked with it, and closed again if
// the task cannot be marked. The customer's page gets its access token without
// a Flex token, so anyone who knows the name of an existing room can enter it.
// So names are random, and each address gets only a few tokens a minute.
func chatToVideo(c *Config) []flexfn.Route {
	const path = "/features/chat-to-video-escalation/"
	return []flexfn.Route{
		{Path: path + "common/client-get-token", Function: flexfn.PrepareStudioFunction(c.videoTokens(), flexfn.OpenToAnyone(), flexfn.Doc("Gives a customer's page the token for a video room that exists."))},
		{Path: path + "flex/generate-unique-code", Function: flexfn.PrepareFlexFunction(c.createRoom, flexfn.Doc("Creates a video room for a task."))},
		{Path: path + "flex/complete-room", Function: flexfn.PrepareFlexFunction(completeRoom, flexfn.Doc("Closes a video room."))},
	}
}

// videoTokenParams are what a customer's page sends. They come from anyone, so
// their lengths are bounded before anything is looked up.
type videoTokenParams struct {
	Identity string `json:"identity" purpose:"username for connecting to the video room" example:"Customer"`
	Room     string `json:"roomName" purpose:"video room unique name" example:"abc1234"`
}

// Validate implements [flexfn.Validator].
func (p videoTokenParams) Validate() error {
	if len(p.Identity) > 128 || len(p.Room) > 128 {
		return errors.New("identity and roomName must have at most 128 bytes")
	}
	return nil
}

type videoTokenReply struct {
	Token string `json:"token"`
}

// Limits on the tokens given out in a minute: to one address, and through one
// peer that is, or claims to be, a proxy. A customer needs one token, and
// another after each lost connection, but many customers can share a proxy.
// Each instance counts separately.
const (
	tokensPerMinute = 20
	tokensPerPeer   = 1000
)

// videoTokens returns the handler that hands out tokens to customers, with its
// own rate limits. They apply before Twilio is asked, so that strangers cannot
// use up the account's own limits. An unknown name is answered 404, and one
// that cannot be looked up 503.
func (c *Config) videoTokens() func(context.Context, videoTokenParams) (videoTokenReply, error) {
	callers, peers := newRateLimit(tokensPerMinute, time.Minute), newRateLimit(tokensPerPeer, time.Minute)
	return func(ctx context.Context, in videoTokenParams) (videoTokenReply, error) {
		peer, _ := ctx.Value(link.PeerKey{}).(string)
		from := pace.AddressOf(peer, flexfn.RequestHeader(ctx))
		if wait := max(peers.take(from.Peer), callers.take(from.Peer+" "+from.Caller)); wait > 0 {
			return videoTokenReply{}, &flexfn.Error{Status: http.StatusTooManyRequests, Message: "Too many tokens were asked for; try again in a minute", RetryAfter: wait}
		}
		if !c.VideoAllowCreate {
			rooms := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (int, error) {
				// Without a status Twilio lists only rooms in progress.
				list, err := video.NewApiService(client).ListRoom(&video.ListRoomParams{UniqueName: &in.Room})
				return len(list), err
			})
			if err := rooms.Err(); err != nil {
				return videoTokenReply{}, &flexfn.Error{Status: http.StatusServiceUnavailable, Message: "The video rooms cannot be asked at the moment; try again", RetryAfter: time.Second, Err: err}
			}
			if rooms.Data == 0 {
				return videoTokenReply{}, flexfn.Errorf(http.StatusNotFound, "Room not found")
			}
		}
		return videoTokenReply{videoToken(flexfn.FromContext(ctx).Config(), in.Identity, in.Room, time.Now())}, nil
	}
}

// videoToken returns a Twilio access token for one room: a JSON Web Token (RFC
// 7519) with HMAC SHA-256, valid for an hour. It is made here, without a
// request to Twilio, from the app's API key; Twilio checks it when the customer
// connects. The hour limits when the customer can connect, not how long they
// can talk.
func videoToken(app flexfn.Config, identity, room string, now time.Time) string {
	at := now.Unix()
	header := object(map[string]string{"alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1"})
	claims := object(map[string]any{
		"jti": app.APIKeySID + "-" + strconv.FormatInt(at, 10), "iss": app.APIKeySID, "sub": app.AccountSID, "iat": at, "exp": at + 3600,
		"grants": map[string]any{"identity": identity, "video": map[string]string{"room": room}},
	})
	b64 := base64.RawURLEncoding
	signed := b64.EncodeToString(header) + "." + b64.EncodeToString(claims)
	mac := hmac.New(sha256.New, []byte(app.APIKeySecret))
	mac.Write([]byte(signed))
	return signed + "." + b64.EncodeToString(mac.Sum(nil))
}

// rateLimit counts by caller in fixed windows of time. Its memory is bounded;
// see mostCallers. Around the border of two windows twice the limit can pass,
// which is acceptable here.
type rateLimit struct {
	most int
	per  time.Duration

	mu     sync.Mutex
	end    time.Time // of the window
	counts map[string]int
}

// mostCallers limits the callers that are counted separately; all others share
// one count. 10,000 take about two megabytes.
const mostCallers = 10_000

func newRateLimit(most int, per time.Duration) *rateLimit { return &rateLimit{most: most, per: per} }

// take counts a request for key. If the limit is reached, it returns how long
// to wait. A request that it refuses is not counted. It is safe for concurrent
// use.
func (l *rateLimit) take(key string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !now.Before(l.end) {
		l.end, l.counts = now.Add(l.per), map[string]int{}
	}
	// Strangers can make up addresses, but not grow the map.
	if _, known := l.counts[key]; !known && len(l.counts) >= mostCallers {
		key = ""
	}
	if l.counts[key] >= l.most {
		return l.end.Sub(now)
	}
	l.counts[key]++
	return 0
}

type createRoomParams struct {
	Task string `json:"taskSid" purpose:"used to update the task attributes with the room name" kind:"WT"`
}

type createRoomReply struct {
	Name string `json:"roomName"`
	SID  string `json:"roomSid"`
}

// createRoom creates the room and marks the task with it. If the task cannot be
// marked, the room is closed. VideoCodeTTL counts from when the last
// participant leaves, or from the creation of a room that is never entered.
func (c *Config) createRoom(ctx context.Context, in createRoomParams) (_ createRoomReply, err error) {
	var undo steps.Undo
	defer func() { undo.Unless(ctx, err) }()
	reply := createRoomReply{Name: randomName(c.videoCodeLength())}
	room := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (*video.VideoV1Room, error) {
		params := &video.CreateRoomParams{
			UniqueName: &reply.Name, RecordParticipantsOnConnect: &c.VideoRecord,
			EmptyRoomTimeout: new(c.videoCodeTTL()), UnusedRoomTimeout: new(c.videoCodeTTL()),
		}
		if c.VideoRoomType != "" {
			params.Type = &c.VideoRoomType
		}
		return video.NewApiService(client).CreateRoom(params)
	})
	if err := room.Err(); err != nil {
		return createRoomReply{}, err // an empty room ends by itself
	}
	reply.SID = value(room.Data.Sid)
	undo.Add("the video room", func(ctx context.Context) error { return endRoom(ctx, reply.SID) })
	marked := twilioapi.UpdateTaskAttributes(ctx, in.Task, object(map[string]string{"videoRoom": reply.Name, "videoRoomSid": reply.SID}))
	return reply, marked.Err()
}

// randomName returns n random letters and digits. With 62 characters to choose
// from, 7 of them, the least that a Config allows, are 41 bits, and the usual
// 32 are 190.
func randomName(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	name := make([]byte, 0, n)
	for draw := [64]byte{}; len(name) < n; {
		rand.Read(draw[:])
		for _, b := range draw {
			if int(b) < 4*len(letters) && len(name) < n { // each equally likely
				name = append(name, letters[int(b)%len(letters)])
			}
		}
	}
	return string(name)
}

type completeRoomParams struct {
	Room string `json:"roomSid" purpose:"unique sid of video room to complete" kind:"RM"`
}

func completeRoom(ctx context.Context, in completeRoomParams) (done, error) {
	return done{}, endRoom(ctx, in.Room)
}

// endRoom closes a room. Twilio's error 53112, which means that it is already
// closed, counts as success, so that a room can be closed twice.
func endRoom(ctx context.Context, sid string) error {
	return twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (done, error) {
		_, err := video.NewApiService(client).UpdateRoom(sid, &video.UpdateRoomParams{Status: new("completed")})
		if e, ok := errors.AsType[*flexfn.Error](err); ok && e.TwilioErrorCode == 53112 {
			err = nil
		}
		return done{}, err
	}).Err()
}
