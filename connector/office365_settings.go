package connector

import (
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// ValidateSettings checks the addresses, and that the account is one of those the connector
// was opened with: if it is not, the settings are incomplete until it is added.
func (o *Office365) ValidateSettings() []settings.Issue {
	var out []settings.Issue
	add := func(path, code, en, fr string) {
		out = append(out, settings.Issue{Path: path, Code: code, Message: settings.Text{EN: en, FR: fr}})
	}
	if name := o.Account.Name(); name != "" && o.accounts != nil && !o.Account.Bound() {
		if _, ok := o.accounts.Get(name); !ok {
			add("account", settings.CodeRequired, "there is no account of that name yet: associate it, or choose another",
				"il n'y a pas encore de compte de ce nom : associez-le ou choisissez-en un autre")
		}
	}
	if o.Mailbox != "" {
		if a, err := router.ParseAddress(o.Mailbox); err != nil || a.Name != "" {
			add("mailbox", settings.CodeBadFormat, "it is no mail address: write it as accueil@mondaine.fr",
				"ce n'est pas une adresse de messagerie : écrivez-la comme accueil@mondaine.fr")
		}
	}
	if o.Sender != "" {
		if _, err := router.ParseAddress(o.Sender); err != nil {
			add("sender", settings.CodeBadFormat, "it is no mail address: "+err.Error(), "ce n'est pas une adresse de messagerie")
		}
	}
	return out
}

// Labels gives the texts of the form.
func (o *Office365) Labels() map[string]settings.Label {
	l := func(en, fr, helpEN, helpFR string) settings.Label {
		return settings.Label{Name: settings.Text{EN: en, FR: fr}, Help: settings.Text{EN: helpEN, FR: helpFR}}
	}
	return map[string]settings.Label{
		"account": l("Account", "Compte",
			"The Microsoft 365 account that was associated and on whose behalf mail is sent. It needs the permission Mail.Send, and Mail.ReadWrite for mails over 3.5 MB.",
			"Le compte Microsoft 365 associé, au nom duquel les courriels sont envoyés. Il a besoin de l'autorisation Mail.Send, et de Mail.ReadWrite pour les courriels de plus de 3,5 Mo."),
		"mailbox": l("Mailbox", "Boîte aux lettres",
			"Address of a shared mailbox, or of another sender. Leave empty to send from the account's own. In Exchange an administrator has to give the account the right \"Send As\", and \"Full Access\" to keep the copies in that mailbox. Required if the account stands for an application.",
			"Adresse d'une boîte partagée ou d'un autre expéditeur. Laissez vide pour envoyer depuis la boîte du compte. Dans Exchange, un administrateur doit donner au compte le droit « Envoyer en tant que », et « Accès total » pour que les copies restent dans cette boîte. Obligatoire si le compte représente une application."),
		"save_to_sent_items": l("Keep in Sent Items", "Conserver dans les éléments envoyés",
			"Keeps a copy of each mail among the sent items. Without it, nobody can find out whether a mail went out after a connection broke. Mails over 3.5 MB are always kept.",
			"Conserve une copie de chaque courriel dans les éléments envoyés. Sans elle, nul ne peut savoir si un courriel est parti après une coupure de connexion. Les courriels de plus de 3,5 Mo sont toujours conservés."),
		"sender": l("Sender", "Expéditeur",
			"Address of messages that name no sender of their own. Leave empty for the mailbox above, or the account's own address.",
			"Adresse des messages qui n'indiquent pas leur propre expéditeur. Laissez vide pour la boîte ci-dessus ou l'adresse du compte."),
		"timeout": l("Timeout", "Délai d'attente", "For connecting and for each silence of the server.",
			"Pour la connexion et pour chaque silence du serveur."),
	}
}
