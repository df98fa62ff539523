package twiliofake

import "slices"

// table returns the row of every resource that the fake models by hand. To add
// one, add it to the rows of its product; see [resource] for the columns.
func table() []resource {
	return slices.Concat(
		apiRows(), taskRouterRows(), iamRows(), conversationRows(), chatRows(), lookupRows(), dialingRows(), flexRows(),
		interactionRows(), syncRows(), videoRows(), queueRows(), verifyRows(), studioRows(), eventStreamRows(),
		messagingRows(), serverlessRows(), numberRows(), exportRows(),
	)
}
