// Package vaguemestre holds the words that the whole module shares: [Error] and
// its classes, the [Step] of a check, and the optional abilities [Checker] and
// [Endpointer]. It imports nothing of the module.
//
// The work is done elsewhere:
//
//   - package router sends: a service (what is sent, such as mail) is carried by a
//     connector (how it is sent), by default or by choice;
//   - package connector holds the connectors: SMTP;
//   - package cold collects: a job drives a launcher (where documents wait), filters
//     what it brings and hands it to a sink, once;
//   - package cold/launcher holds the launchers: IMAP;
//   - package settings turns those structs into forms, files and stored records;
//   - package store/sqlite keeps what must survive: ledger, settings, secrets.
//
// # Errors
//
// Everything that fails with a reason a program can act upon returns an [*Error]
// (perhaps wrapped). Act upon its class:
//
//	var e *vaguemestre.Error
//	if errors.As(err, &e) && e.Class == vaguemestre.ClassAuth {
//		askForPassword()
//	}
package vaguemestre
