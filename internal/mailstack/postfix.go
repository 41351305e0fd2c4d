package mailstack

import (
	"context"
	"os"
	"os/user"
	"strconv"
	"strings"
	"text/template"
)

var postfixMain = template.Must(template.New("main.cf").Parse(`compatibility_level = 3.6
config_directory = {{.Dir}}/postfix/etc
queue_directory = {{.Dir}}/postfix/spool
data_directory = {{.Dir}}/postfix/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
# without the prefix postlogd refuses a log outside /var
maillog_file = {{.Dir}}/log/postfix.log
maillog_file_prefixes = {{.Dir}}
myhostname = mx.{{.Domain}}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
# empty: otherwise loopback may relay without AUTH
mynetworks =
local_recipient_maps =
alias_maps =
alias_database =
virtual_mailbox_domains = {{.Domain}}
# every user but nobody exists
virtual_mailbox_maps = regexp:{{.Dir}}/postfix/etc/known
virtual_transport = lmtp:unix:{{.Dir}}/dovecot/run/lmtp
{{if .Sink}}relayhost = [127.0.0.1]:{{.Sink}}{{end}}
recipient_delimiter = +
message_size_limit = {{.Size}}
mailbox_size_limit = 0
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_sender_access texthash:{{.Dir}}/postfix/etc/senders, check_recipient_access texthash:{{.Dir}}/postfix/etc/recipients
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_tls_security_level = may
smtpd_tls_chain_files = {{.Dir}}/tls/good.pem
smtp_tls_security_level = none
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {{.Dir}}/dovecot/run/auth-postfix
smtpd_sasl_security_options = noanonymous
# failed logins: no pause, and no disconnection in mid-test
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
bounce_queue_lifetime = 1h
`))

var postfixMaster = template.Must(template.New("master.cf").Parse(`127.0.0.1:{{.SMTP}} inet n - n - - smtpd
127.0.0.1:{{.Submission}} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
{{range .TLS}}{{.Host}}:{{$.SMTPS}} inet n - n - - smtpd
  -o syslog_name=postfix/smtps
  -o smtpd_tls_wrappermode=yes
  -o smtpd_tls_chain_files={{$.Dir}}/tls/{{.Name}}.pem
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
{{end}}pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`))

func (s *Stack) startPostfix(ctx context.Context) error {
	for _, d := range []string{"etc", "spool", "data"} {
		if err := os.MkdirAll(s.path("postfix", d), 0o755); err != nil {
			return err
		}
	}
	u, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	if err := os.Chown(s.path("postfix", "data"), uid, -1); err != nil {
		return err
	}
	type tls struct{ Name, Host string }
	data := map[string]any{
		"Dir": s.Dir, "Domain": Domain, "Sink": s.Sink, "Size": s.SizeLimit,
		"SMTP": s.SMTP, "Submission": s.Submission, "SMTPS": s.SMTPS,
		"TLS": []tls{{"good", s.Host(Good)}, {"misnamed", s.Host(Misnamed)}, {"expired", s.Host(Expired)}, {"foreign", s.Host(Foreign)}},
	}
	files := map[string]string{
		"known":      "!/^nobody/ ok\n",
		"senders":    RefusedSender + " 553 5.7.1 sender not welcome here\n",
		"recipients": Later + " 450 4.2.1 mailbox is busy, come back later\n" + Full + " 552 5.2.2 mailbox is full\n",
	}
	for _, t := range []*template.Template{postfixMain, postfixMaster} {
		var b strings.Builder
		if err := t.Execute(&b, data); err != nil {
			return err
		}
		files[t.Name()] = b.String()
	}
	for n, text := range files {
		if err := os.WriteFile(s.path("postfix", "etc", n), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := s.run(ctx, "postfix", "-c", s.path("postfix", "etc"), "start"); err != nil {
		return err
	}
	return s.daemon(ctx, "master", s.path("postfix", "spool", "pid", "master.pid"))
}
