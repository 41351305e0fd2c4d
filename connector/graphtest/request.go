package graphtest

// request is a call to the mail part of Graph, after all that concerns every call: it is
// logged, within the budget, and whoever asks may ask it. The mail method does it.
type request struct {
	call *Call
	op   string
	vars map[string]string // of the route's pattern: "folder", "message", "attachment"; ids as they were given, decoded
	body []byte            // whole: what is above maxRequest was refused before; see long

	app     *App
	user    *person  // who signed in; nil: the application itself asks
	scopes  []string // of the token, short: "Mail.Send"; of an application its permissions
	mailbox *Mailbox // that the path names; nil: none ("batch", uploads), or the user has none ("me", "users.get")
	named   *person  // whose mailbox that is
	own     bool     // mailbox is the user's own

	upload bool // at the upload origin: nobody is known, the body may be cut at maxRequest
	long   bool // and was
}

// maxRequest is the largest request that Graph takes, and the largest range of an upload.
const maxRequest = 4 << 20

// person is a user as the server knows it.
type person struct {
	User
	id  string   // GUID
	box *Mailbox // nil: none
}

// route says what a request below a mailbox is. Patterns are matched without regard to case,
// {name} matches one segment as it stands; see segments for what else is accepted.
type route struct {
	method, pattern, op string
	need                string // permission: "Mail.Read", "Mail.ReadWrite", "Mail.Send", "User.Read"; "" is none
}

// routes are those below "/me" or "/users/{user}". Messages below a folder
// (mailFolders/{folder}/messages/{message}/…) match the same patterns, with folder in vars;
// child folders (mailFolders/{a}/childFolders/{b}) stand for mailFolders/{b}.
var routes = []route{
	{"GET", "", "me", "User.Read"}, // of "/users/{user}": "users.get"
	{"POST", "sendMail", "sendMail", "Mail.Send"},

	{"GET", "messages", "messages.list", "Mail.Read"}, // with or without folder
	{"POST", "messages", "messages.create", "Mail.ReadWrite"},
	{"GET", "messages/delta", "messages.delta", "Mail.Read"},
	{"GET", "messages/{message}", "messages.get", "Mail.Read"},
	{"PATCH", "messages/{message}", "messages.patch", "Mail.ReadWrite"},
	{"DELETE", "messages/{message}", "messages.delete", "Mail.ReadWrite"},
	{"GET", "messages/{message}/$value", "messages.value", "Mail.Read"},
	{"POST", "messages/{message}/send", "messages.send", "Mail.Send"},
	{"POST", "messages/{message}/move", "messages.move", "Mail.ReadWrite"},
	{"POST", "messages/{message}/copy", "messages.copy", "Mail.ReadWrite"},

	{"GET", "messages/{message}/attachments", "attachments.list", "Mail.Read"},
	{"POST", "messages/{message}/attachments", "attachments.create", "Mail.ReadWrite"},
	{"POST", "messages/{message}/attachments/createUploadSession", "upload.create", "Mail.ReadWrite"},
	{"GET", "messages/{message}/attachments/{attachment}", "attachments.get", "Mail.Read"},
	{"DELETE", "messages/{message}/attachments/{attachment}", "attachments.delete", "Mail.ReadWrite"},
	{"GET", "messages/{message}/attachments/{attachment}/$value", "attachments.value", "Mail.Read"},

	{"GET", "mailFolders", "folders.list", "Mail.Read"},
	{"POST", "mailFolders", "folders.create", "Mail.ReadWrite"},
	{"GET", "mailFolders/{folder}", "folders.get", "Mail.Read"},
	{"GET", "mailFolders/{folder}/childFolders", "folders.list", "Mail.Read"},
	{"POST", "mailFolders/{folder}/childFolders", "folders.create", "Mail.ReadWrite"},

	{"POST", "translateExchangeIds", "translate", "Mail.Read"},
}

// Beside those there are "batch" (POST /v1.0/$batch) and, at the upload origin under any
// path, "upload.put", "upload.delete" and "upload.get".
