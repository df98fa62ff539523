package link

// PeerKey finds in a handler's ctx the address, with its port, of the client
// or proxy that sent the request: a string.
type PeerKey struct{}
