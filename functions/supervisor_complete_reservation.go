package functions

import (
	"context"
	"errors"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
)

// supervisorCompleteReservation completes an agent's reservation for a
// supervisor, if the agent does not. The template lets any worker do so; here
// the caller must be a supervisor or an administrator.
func supervisorCompleteReservation(*Config) []flexfn.Route {
	return []flexfn.Route{{
		Path: "/features/supervisor-complete-reservation/flex/update-reservation",
		Function: flexfn.PrepareFlexFunction(updateReservation, flexfn.Roles("supervisor", "admin"),
			flexfn.Doc("Moves an agent's reservation to wrapping or completed.")),
	}}
}

type reservationParams struct {
	Task        string `json:"taskSid" purpose:"sid of the task" kind:"WT"`
	Reservation string `json:"reservationSid" purpose:"sid of the specific reservation to update" kind:"WR"`
	Status      string `json:"status" purpose:"status to move the reservation to" example:"completed"`
}

// Validate implements [flexfn.Validator]. Other statuses would take a task away
// from the agent, or give it to them, which is not what the button is for.
func (p reservationParams) Validate() error {
	if p.Status != "completed" && p.Status != "wrapping" {
		return errors.New("status must be completed or wrapping")
	}
	return nil
}

type reservationReply struct {
	// Reservation is the reservation. If there was nothing left to change,
	// which counts as success, it is a sentence that says so.
	Reservation any `json:"reservation"`
}

// updateReservation succeeds after Twilio's codes 20001 and 20404, as
// [twilioapi.SetReservationStatus] does: the agent may have been faster.
func updateReservation(ctx context.Context, in reservationParams) (reservationReply, error) {
	res := twilioapi.SetReservationStatus(ctx, in.Task, in.Reservation, in.Status)
	if res.Success && res.Data == nil {
		return reservationReply{"The reservation is gone, or past being " + in.Status}, nil
	}
	return reservationReply{twilioapi.View(res.Data)}, res.Err()
}
