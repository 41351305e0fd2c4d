package mailstack

import (
	"context"
	"os"
	"os/user"
	"strings"
	"text/template"
)

// dovecotConf is in the syntax of Dovecot 2.3.
var dovecotConf = template.Must(template.New("dovecot.conf").Parse(`
instance_name = {{.Name}}
base_dir = {{.Dir}}/dovecot/run
state_dir = {{.Dir}}/dovecot/state
log_path = {{.Dir}}/log/dovecot.log
listen = {{.Listen}}
protocols = imap pop3 lmtp
hostname = mx.{{.Domain}}
shutdown_clients = yes
first_valid_uid = 1

ssl = yes
ssl_cert = <{{.Dir}}/tls/good.pem
ssl_key = <{{.Dir}}/tls/good.pem
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no

# One address a variant. A line from an address to itself counts as secured, so the
# strict one must be another address than the client's 127.0.0.1.
local {{.Strict}} {
  disable_plaintext_auth = yes
}
{{range .Bad}}local {{.Host}} {
  ssl_cert = <{{$.Dir}}/tls/{{.Name}}.pem
  ssl_key = <{{$.Dir}}/tls/{{.Name}}.pem
}
{{end}}local {{.NoMove}} {
  protocol imap {
    imap_capability = IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ NAMESPACE UNSELECT CHILDREN UIDPLUS LIST-EXTENDED SPECIAL-USE
  }
}
local {{.NoUIDPlus}} {
  protocol imap {
    imap_capability = IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ NAMESPACE UNSELECT CHILDREN LIST-EXTENDED
  }
}

auth_mechanisms = plain login cram-md5 scram-sha-256 apop xoauth2 oauthbearer
auth_failure_delay = 0
# Every name is a user. Not a passwd-file: Dovecot looks at its time once a second, and
# a user added meanwhile cannot log in.
passdb {
  driver = static
  mechanisms = plain login cram-md5 scram-sha-256 apop
  args = password={{.Password}}
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {{.Dir}}/dovecot/oauth2.conf
}
# allow_all_users: otherwise its user check asks the passdb without a mechanism, and
# LMTP answers 451.
userdb {
  driver = static
  args = uid={{.UID}} gid={{.GID}} home={{.Dir}}/mail/%n allow_all_users=yes
}
mail_location = maildir:~/Maildir
# The default allows 10 connections a user and address.
mail_max_userip_connections = 500
namespace inbox {
  inbox = yes
  separator = /
}
lmtp_save_to_detail_mailbox = no
recipient_delimiter = +

service anvil {
  # no growing pause after failed logins
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap-login {
  # one long-lived process instead of one a connection
  service_count = 0
  process_min_avail = 1
  client_limit = 2000
  inet_listener imap {
    port = {{.IMAP}}
  }
  inet_listener imaps {
    port = {{.IMAPS}}
    ssl = yes
  }
}
service pop3-login {
  service_count = 0
  process_min_avail = 1
  client_limit = 2000
  inet_listener pop3 {
    port = {{.POP3}}
  }
  inet_listener pop3s {
    port = {{.POP3S}}
    ssl = yes
  }
}
service lmtp {
  unix_listener lmtp {
    {{.Socket}}
  }
}
service auth {
  unix_listener auth-postfix {
    {{.Socket}}
  }
}
{{if .User}}
# Not root: everything under one user, and no chroot.
default_internal_user = {{.User}}
default_login_user = {{.User}}
default_internal_group = {{.Group}}
{{range .Unchroot}}service {{.}} {
  chroot =
}
{{end}}{{end}}`))

func (s *Stack) startDovecot(ctx context.Context) error {
	type bad struct{ Name, Host string }
	var listen []string
	for _, v := range variants {
		listen = append(listen, s.Host(v))
	}
	data := map[string]any{
		"Name": "mailstack", "Dir": s.Dir, "Domain": Domain, "Listen": strings.Join(listen, ", "),
		"Strict": s.Host(Strict), "NoMove": s.Host(NoMove), "NoUIDPlus": s.Host(NoUIDPlus),
		"Bad":      []bad{{"misnamed", s.Host(Misnamed)}, {"expired", s.Host(Expired)}, {"foreign", s.Host(Foreign)}},
		"Password": Password, "UID": s.uid, "GID": s.gid,
		"IMAP": s.IMAP, "IMAPS": s.IMAPS, "POP3": s.POP3, "POP3S": s.POP3S, "Socket": "mode = 0600",
		"Unchroot": []string{"anvil", "imap-login", "imap-urlauth-login", "pop3-login", "stats"},
	}
	if s.root {
		if _, err := user.Lookup("postfix"); err == nil {
			data["Socket"] = "user = postfix\n    mode = 0600"
		}
	} else {
		u, err := user.Current()
		if err != nil {
			return err
		}
		g, err := user.LookupGroupId(u.Gid)
		if err != nil {
			return err
		}
		data["User"], data["Group"] = u.Username, g.Name
	}
	var b strings.Builder
	if err := dovecotConf.Execute(&b, data); err != nil {
		return err
	}
	if err := s.writeOAuth(); err != nil {
		return err
	}
	conf := s.path("dovecot", "dovecot.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o644); err != nil {
		return err
	}
	if err := s.run(ctx, "dovecot", "-c", conf); err != nil {
		return err
	}
	return s.daemon(ctx, "dovecot", s.path("dovecot", "run", "master.pid"))
}
