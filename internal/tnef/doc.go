// Package tnef reads winmail.dat: the Transport Neutral Encapsulation Format that Outlook
// and Exchange wrap attachments in (MS-OXTNEF, with the properties of MS-OXPROPS).
//
// [Read] walks the stream once by offset and holds no content in memory: a file's content
// is a section of the stream. Everything is bounded before it is read, and what was read
// before damage is kept.
package tnef
