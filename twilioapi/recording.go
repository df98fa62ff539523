package twilioapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/flexfn/flexfn"
)

// Media is the sound of a recording.
type Media struct {
	// Type is the media type, such as "audio/mpeg".
	Type string
	// Body is the recording, 32 MiB at most.
	Body []byte
}

// RecordingMedia downloads a recording of a call or conference, in the format "mp3"
// or "wav", with the app's account. Check first that the caller may hear it. It
// fails with status 502 if the recording is longer than 32 MiB (an hour of mp3 is
// about 14 MiB), or if Twilio keeps it in a bucket of your own, to which it
// redirects.
//
//	media, err := twilioapi.RecordingMedia(ctx, in.RecordingSID, "mp3").Get()
//	if err != nil {
//		return nil, err
//	}
//	return &flexfn.Response{Header: http.Header{"Content-Type": {media.Type}}, Body: media.Body}, nil
//
// The whole recording is held in memory until it is sent.
func RecordingMedia(ctx context.Context, recordingSID, format string, opts ...flexfn.RetryOption) flexfn.Result[Media] {
	kinds := map[string]string{"mp3": "audio/mpeg", "wav": "audio/wav"}
	if err := checkSID("recording", recordingPrefix, recordingSID); err != nil {
		return failed[Media](err)
	}
	if kinds[format] == "" {
		return failed[Media](checkStatus("the format of a recording", format, "mp3", "wav"))
	}
	return ExecuteTwilio(ctx, func(client *Client) (Media, error) {
		address := fmt.Sprintf("https://api.twilio.com/2010-04-01/Accounts/%s/Recordings/%s.%s", client.Client.AccountSid(), recordingSID, format)
		resp, err := client.Get(address, nil, map[string]any{"Accept": kinds[format]}, "")
		if err != nil {
			return Media{}, err
		}
		media := Media{Type: resp.Header.Get("Content-Type")}
		if !strings.HasPrefix(media.Type, "audio/") {
			return Media{}, &flexfn.Error{
				Status:  http.StatusBadGateway,
				Message: "Twilio sent something other than the recording",
				Err:     fmt.Errorf("its type is %q", media.Type),
			}
		}
		media.Body, err = io.ReadAll(resp.Body)
		return media, err
	}, opts...)
}
