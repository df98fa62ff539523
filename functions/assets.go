package functions

import (
	"bytes"
	"embed"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// own has the pages that are served when the user's folder lacks them.
//
//go:embed assets
var own embed.FS

// ringTonePath is where the plugin's ring-notification looks for its sound.
const ringTonePath = "features/ring-notification/phone_ringing.mp3"

// assets are the user's files and, where there is none, our own.
type assets struct {
	users fs.FS // nil: none
	own   fs.FS
}

// Open implements [fs.FS]. An unreadable file in the user's folder is an error;
// serving ours instead would hide the fault. [flexfn.App.HandleFiles] has
// already refused hidden and private names.
func (a assets) Open(name string) (fs.File, error) {
	if a.users != nil {
		file, err := a.users.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	if name == ringTonePath {
		return &sound{Reader: bytes.NewReader(ringTone())}, nil
	}
	return a.own.Open(name)
}

// assets returns the files for the plugin. AssetsDir has been checked.
func (c *Config) assets() fs.FS {
	pages, err := fs.Sub(own, "assets")
	if err != nil {
		panic(err) // the folder is embedded
	}
	if c.assetsRoot == nil {
		return assets{nil, pages}
	}
	return assets{c.assetsRoot.FS(), pages}
}

// withoutVideoPage says that the video page cannot show a call. A page of the
// user's own is taken to have all that it needs.
func (c *Config) withoutVideoPage() string {
	if c.AssetsDir != "" {
		for _, name := range []string{"index.html", "twilio-video.min.js"} {
			if _, err := os.Stat(filepath.Join(c.AssetsDir, "features/chat-to-video-escalation", name)); err == nil {
				return ""
			}
		}
	}
	return "the video page needs Twilio's library in FLEXFN_ASSETS_DIR, as features/chat-to-video-escalation/twilio-video.min.js"
}

// openAssets opens the user's folder. Links that lead out of it are not
// followed. It stays open as long as the process runs.
func (c *Config) openAssets() (err error) {
	if c.AssetsDir != "" {
		c.assetsRoot, err = os.OpenRoot(c.AssetsDir)
	}
	return err
}

// A sound is a file with the ring tone. The time of its last change is zero,
// which is not sent.
type sound struct{ *bytes.Reader }

// Close implements [fs.File].
func (*sound) Close() error { return nil }

// Stat implements [fs.File].
func (s *sound) Stat() (fs.FileInfo, error) { return s, nil }

// Name, Mode, ModTime, IsDir and Sys implement [fs.FileInfo].
func (*sound) Name() string       { return "ring.wav" }
func (*sound) Mode() fs.FileMode  { return 0o444 }
func (*sound) ModTime() time.Time { return time.Time{} }
func (*sound) IsDir() bool        { return false }
func (*sound) Sys() any           { return nil }

// ringTone returns a one-second ring and a two-second pause, as a WAV file with
// 8 bits a sample: the two tones of North America's ringing signal (ITU-T E.180
// supplement 2), faded in and out. Browsers look at the content, not at the
// name. It is made once, on the first request, and takes 24 KB. Fades of 400
// samples (50 ms) avoid clicks.
var ringTone = sync.OnceValue(func() []byte {
	const rate, ring, whole = 8000, 8000, 3 * 8000
	var b bytes.Buffer
	header := []any{
		[]byte("RIFF"), uint32(36 + whole), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate), uint16(1), uint16(8),
		[]byte("data"), uint32(whole),
	}
	for _, v := range header {
		_ = binary.Write(&b, binary.LittleEndian, v) // a Buffer never fails
	}
	for i := range whole {
		level := 0.0
		if i < ring {
			t := float64(i) / rate
			level = (math.Sin(2*math.Pi*440*t) + math.Sin(2*math.Pi*480*t)) / 2 * min(1, float64(min(i, ring-i))/400)
		}
		b.WriteByte(byte(128 + 96*level))
	}
	return b.Bytes()
})
