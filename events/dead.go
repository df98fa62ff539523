package events

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/store"
)

// DeadLetter is an event, or a job of [Later], that a listener could not
// handle. It is kept for 30 days in the Store, in one of 16 lists for the
// account; each list keeps its newest 1,000.
//
// Its methods read and write the Store. Their ctx is a function's, or one from
// [flexfn.App.Context]. A DeadLetter is a copy: it does not change when the
// letter is replayed elsewhere.
type DeadLetter struct {
	// ID identifies the letter: 40 hex digits.
	ID string
	// Function is the path of the function, and Listener the name of its
	// listener in the Store.
	Function, Listener string
	// Event is the event. For a job, its fields are the job's input.
	Event Event
	// Error is the text of the listener's last error, for operators. It may
	// hold personal data.
	Error string
	// Time is when it became a dead letter, after Event.Try runs of the
	// listener.
	Time time.Time

	text json.RawMessage // the job's input
}

// letter is a dead letter in the Store. Letters outlive deployments, so the
// names must stay.
type letter struct {
	Job   json.RawMessage `json:"job"`
	Error string          `json:"error"`
	Tries int             `json:"tries"`
	Time  time.Time       `json:"time"`
}

const (
	// There is a list for each first hex digit of an id. At 28 bytes per entry,
	// a list has at most 28 KB; a value may have 300 KiB.
	lettersKept  = 30 * 24 * time.Hour
	letterShards = 16
	shardLetters = 1000
	letterIDSize = 20
	letterEntry  = letterIDSize + 8 // and when, in Unix seconds
)

// bury stores a dead letter, and calls the hooks.
//
// The letter is written before it is listed: if listing fails, the letter
// expires, and a listed letter that is gone is skipped. Its name derives from
// the event and the listener, so that a second attempt replaces the first. The
// deadline does not apply, since the event would be lost. An event that is too
// long is logged and given up, since another attempt would not make it shorter.
func (d *delivery) bury(ctx context.Context, e Event, l *listener, tries int, cause error) error {
	text, err := d.job(e, l)
	if err != nil {
		flexfn.Logger(ctx).Error("an event is lost: it is too long for a dead letter", "listener", l.name, "type", e.Type, "key", e.Key, "error", err)
		return nil
	}
	entries := d.rt.Claims.Entries()
	name := entries.Key("dead", d.family(e), e.Key, l.id(d.path))
	now := time.Now().UTC().Truncate(time.Millisecond)
	value, err := json.Marshal(letter{text, cause.Error(), tries, now})
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	id := name[len(name)-2*letterIDSize:]
	if err := replace(ctx, entries, name, value); err != nil {
		return fmt.Errorf("keeping a dead letter: %w", err)
	}
	if err := editShard(ctx, entries, id, &now); err != nil {
		return fmt.Errorf("listing a dead letter: %w", err)
	}
	flexfn.Logger(ctx).Error("a dead letter", "listener", l.name, "type", e.Type, "key", e.Key, "id", id, "tries", tries, "error", cause)
	for _, call := range d.part.hooks {
		func() {
			defer func() {
				if p := recover(); p != nil {
					flexfn.Logger(ctx).Error("a hook for dead letters panicked", "panic", fmt.Sprint(p))
				}
			}()
			e.Try = tries
			call(ctx, DeadLetter{ID: id, Function: d.path, Listener: l.id(d.path), Event: e, Error: cause.Error(), Time: now, text: text})
		}()
	}
	return nil
}

// replace writes value, whatever the entry holds; nil deletes the entry. It
// reads and swaps until no other write comes in between.
func replace(ctx context.Context, entries *store.Entries, key string, value []byte) error {
	for range 10 {
		old, err := entries.Get(ctx, key)
		if err != nil {
			return err
		}
		if value == nil && !old.Exists() {
			return nil
		}
		if _, ok, err := entries.Swap(ctx, key, old, value, lettersKept); err != nil || ok {
			return err
		}
	}
	return errors.New("other instances keep changing the entry")
}

// shardKey returns the key of the list that contains id.
func shardKey(entries *store.Entries, id string) string {
	return entries.Key("letters", id[:1])
}

// editShard adds id to its list, or removes it when at is nil.
//
// It also drops expired entries. It tries often, since in an outage of another
// system every instance adds letters to the same few lists.
func editShard(ctx context.Context, entries *store.Entries, id string, at *time.Time) error {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != letterIDSize {
		return fmt.Errorf("%q is not the id of a dead letter", id)
	}
	key := shardKey(entries, id)
	for range 200 {
		old, err := entries.Get(ctx, key)
		if err != nil {
			return err
		}
		var list []byte
		oldest := time.Now().Add(-lettersKept).Unix()
		for entry := range slices.Chunk(unpadded(old.Value), letterEntry) {
			if len(entry) == letterEntry && string(entry[:letterIDSize]) != string(raw) && letterTime(entry).Unix() > oldest {
				list = append(list, entry...)
			}
		}
		if at != nil {
			list = append(list, raw...)
			for i := 56; i >= 0; i -= 8 {
				list = append(list, byte(at.Unix()>>i))
			}
			list = list[max(len(list)-shardLetters*letterEntry, 0):]
		}
		if _, ok, err := entries.Swap(ctx, key, old, padded(list), lettersKept); err != nil || ok {
			return err
		}
	}
	return errors.New("other instances keep changing the list")
}

// A list begins with the time it was written, so that no two lists are equal,
// as a Store requires.
const padding = 8

func padded(list []byte) []byte {
	b := make([]byte, padding, padding+len(list))
	for i, now := 0, time.Now().UnixNano(); i < padding; i++ {
		b[i] = byte(now >> (8 * i))
	}
	return append(b, list...)
}

func unpadded(b []byte) []byte { return b[min(padding, len(b)):] }

func letterTime(entry []byte) time.Time {
	var n int64
	for _, b := range entry[letterIDSize:] {
		n = n<<8 | int64(b)
	}
	return time.Unix(n, 0)
}

// DeadLetters iterates over the account's dead letters, the oldest of each
// list first. ctx is a function's, or one from [flexfn.App.Context]. An error
// of the Store ends the iteration.
//
//	for letter, err := range events.DeadLetters(app.Context(ctx)) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(letter.Time, letter.Listener, letter.Event.Type, letter.Error)
//	}
//
// Letters that are added or deleted meanwhile may or may not appear. The
// command "flexfn events" and the console list them too. It reads the Store
// once for each of the 16 lists and once for each letter, and locks nothing.
// Each range over it starts from the beginning.
func DeadLetters(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		rt, err := runtimeOf(ctx)
		if err != nil {
			yield(DeadLetter{}, err)
			return
		}
		entries := rt.Claims.Entries()
		for shard := range letterShards {
			list, err := entries.Get(ctx, shardKey(entries, fmt.Sprintf("%x", shard)))
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			for entry := range slices.Chunk(unpadded(list.Value), letterEntry) {
				d, err := readLetter(ctx, entries, hex.EncodeToString(entry[:min(letterIDSize, len(entry))]))
				if err == nil && d.ID == "" {
					continue // deleted, or expired
				}
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// letterName returns the key of a letter's entry. The id is the end of that
// key, an HMAC, so it reveals nothing about the event.
func letterName(entries *store.Entries, id string) string {
	name := entries.Key("dead")
	return name[:len(name)-2*letterIDSize] + id
}

// readLetter returns the letter with id. Its ID is empty if there is none.
func readLetter(ctx context.Context, entries *store.Entries, id string) (d DeadLetter, err error) {
	entry, err := entries.Get(ctx, letterName(entries, id))
	if err != nil || !entry.Exists() {
		return d, err
	}
	var l letter
	var j job
	if err := errors.Join(json.Unmarshal(entry.Value, &l), json.Unmarshal(l.Job, &j)); err != nil {
		return d, fmt.Errorf("the dead letter %s cannot be read: %w", id, err)
	}
	d = DeadLetter{ID: id, Function: j.Path, Listener: j.Listener, Event: j.event(), Error: l.Error, Time: l.Time, text: l.Job}
	d.Event.Try = l.Tries
	return d, nil
}

// Replay runs the listener again, in this process. If the listener succeeds,
// Replay deletes the letter and returns nil; otherwise the letter stays. ctx is
// as for [DeadLetters]. The error is the listener's or the Store's, or says
// that the app no longer has the listener. It takes at most a minute, including
// the wait while another instance handles the event. If two calls run at once,
// the second returns what the first has done.
func (d DeadLetter) Replay(ctx context.Context) error {
	rt, err := runtimeOf(ctx)
	if err != nil {
		return err
	}
	for _, at := range rt.Parts() {
		p, ok := at.Part.(*part)
		if !ok || at.Path != d.Function {
			continue
		}
		l := p.listener(d.Listener, d.Function)
		if l == nil {
			break
		}
		return d.replay(ctx, &delivery{part: p, rt: rt, path: d.Function}, l)
	}
	return fmt.Errorf("the app has no function at %q with the listener %q", d.Function, d.Listener)
}

// replay runs the listener for the letter's event, under the event's claim, so
// that it does not run at the same time as a redelivery. If the listener has
// succeeded in the meantime, the letter is only deleted.
func (d DeadLetter) replay(ctx context.Context, at *delivery, l *listener) error {
	ctx, cancel := context.WithTimeout(ctx, jobTime)
	defer cancel()
	id := l.id(at.path)
	mine, _, err := at.rt.Claims.Take(ctx, claim.Request{
		Key: at.eventKey(d.Event), Keep: remembered, Lease: lease(ctx),
		Done: func(data []byte) bool { return readProgress(data)[id].state == succeeded },
	})
	if err != nil {
		return err
	}
	if mine != nil {
		name := mine.ID()
		e := d.Event
		e.Try++
		steps := progress{id: {dead, e.Try}}
		err = at.try(scoped{ctx, string(name[:]) + "\x00" + id}, e, l)
		if errors.Is(err, errOutdated) {
			err = nil
		}
		if err == nil {
			steps[id] = step{succeeded, e.Try}
		}
		if err := errors.Join(err, mine.Free(context.WithoutCancel(ctx), steps.merge)); err != nil {
			return err
		}
	}
	return d.Delete(ctx)
}

// Delete removes the letter. The listener does not run again for the event,
// even if it is delivered again. Deleting a letter that no longer exists
// succeeds.
func (d DeadLetter) Delete(ctx context.Context) error {
	rt, err := runtimeOf(ctx)
	if err != nil {
		return err
	}
	entries := rt.Claims.Entries()
	if err := editShard(ctx, entries, d.ID, nil); err != nil {
		return err
	}
	return replace(ctx, entries, letterName(entries, d.ID), nil)
}

var (
	_ link.JobRunner = (*part)(nil)
	_ link.Letters   = (*part)(nil)
)

// Letters implements [link.Letters]. The newest letters come first, also if an
// error ends the list early.
func (*part) Letters(ctx context.Context) (list []link.Letter, err error) {
	defer func() {
		slices.SortStableFunc(list, func(a, b link.Letter) int { return b.Time.Compare(a.Time) })
	}()
	for d, err := range DeadLetters(ctx) {
		if err != nil {
			return list, err
		}
		list = append(list, link.Letter{
			ID: d.ID, Time: d.Time, Path: d.Function, Listener: d.Listener, Type: d.Event.Type, Key: d.Event.Key, Tries: d.Event.Try, Error: d.Error,
		})
	}
	return list, nil
}

// Replay implements [link.Letters].
func (*part) Replay(ctx context.Context, id string) error {
	d, err := letterByID(ctx, id)
	if err != nil {
		return err
	}
	return d.Replay(ctx)
}

// Delete implements [link.Letters].
func (*part) Delete(ctx context.Context, id string) error {
	d, err := letterByID(ctx, id)
	if err != nil {
		return err
	}
	return d.Delete(ctx)
}

func letterByID(ctx context.Context, id string) (DeadLetter, error) {
	rt, err := runtimeOf(ctx)
	if err != nil {
		return DeadLetter{}, err
	}
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != letterIDSize {
		return DeadLetter{}, fmt.Errorf("%q is not the id of a dead letter: it has %d hex digits", id, 2*letterIDSize)
	}
	d, err := readLetter(ctx, rt.Claims.Entries(), id)
	if err == nil && d.ID == "" {
		err = fmt.Errorf("there is no dead letter %s", id)
	}
	return d, err
}
