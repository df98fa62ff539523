package main

import (
	"context"
	"encoding/json"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
)

type noteParams struct {
	Task  string `json:"taskSid" kind:"WT" purpose:"the task"`
	Topic string `json:"topic" purpose:"what the note is about"`
	Text  string `json:"text" purpose:"the note"`
}

type noteReply struct {
	Attributes json.RawMessage `json:"attributes"`
}

var addNote = flexfn.PrepareFlexFunction(func(ctx context.Context, in noteParams) (noteReply, error) {
	update, err := json.Marshal(map[string]any{"notes": map[string]string{in.Topic: in.Text}})
	if err != nil {
		return noteReply{}, err
	}
	// UpdateTaskAttributes reads the task, merges, and writes with If-Match. If
	// another update was faster, Twilio answers 412 and it starts again, so no
	// note is lost.
	attributes, err := twilioapi.UpdateTaskAttributes(ctx, in.Task, update).Get()
	return noteReply{attributes}, err
}, flexfn.Doc("Adds a note to a task, among those that others add."))
