// Package pop3 speaks the client's side of POP3 (RFC 1939) with its extensions: CAPA and
// response codes (RFC 2449, RFC 3206), STLS (RFC 2595), SASL (RFC 5034).
//
// It preserves bytes: a message ends at CRLF "." CRLF and nowhere else, a lone LF or CR is
// content, and one dot is taken off a line that begins with one. All that a server sends is
// bounded, except the length of a message, which is streamed: its reader sets the bound.
//
// Commands may be sent ahead of the answers ([Conn.Send], then [Conn.Reply] in the same
// order); whether the server allows it is told by [Conn.Has] of "PIPELINING". The package
// knows no settings and makes no policy: package cold/launcher does.
package pop3
