package graphtest

import (
	"fmt"
	"strings"
	"time"
)

// report is a non-delivery report as Exchange writes it (RFC 3464).
func report(b *Mailbox, c *content, failed string) []byte {
	failed = oneLine(failed)
	_, domain, _ := strings.Cut(b.Address, "@")
	const boundary = "_ndr_9b0d2a_"
	return []byte(fmt.Sprintf("From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@%s>\r\n"+
		"To: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: %s\r\nIn-Reply-To: %s\r\nReferences: %s\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"%s\"\r\n\r\n"+
		"--%[8]s\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n\r\nYour message to %[9]s couldn't be delivered.\r\n\r\n"+
		"--%[8]s\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns;graphtest.example.org\r\n\r\n"+
		"Final-Recipient: rfc822;%[9]s\r\nAction: failed\r\nStatus: 5.1.10\r\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound\r\n\r\n"+
		"--%[8]s\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: %[10]s\r\nSubject: %[11]s\r\n\r\n--%[8]s--\r\n",
		domain, b.Address, words("Undeliverable: "+c.subject), b.now().UTC().Format(time.RFC1123Z), newMessageID(), oneLine(c.messageID), oneLine(c.messageID),
		boundary, failed, oneLine(c.messageID), words(c.subject)))
}
