package link

// PeerKey is the context key of a string: the address and port of the client or
// proxy that sent the request.
type PeerKey struct{}
