package twiliofake

import "slices"

// table describes every resource that the fake plays by hand. To add one, add a
// row to its product; [resource] says what each column means.
func table() []resource {
	return slices.Concat(
		apiRows(), taskRouterRows(), iamRows(), conversationRows(), chatRows(), lookupRows(), dialingRows(), flexRows(),
		interactionRows(), syncRows(), videoRows(), queueRows(), verifyRows(), studioRows(), eventStreamRows(),
	)
}
