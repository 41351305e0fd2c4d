package launcher

import "github.com/vaguemestre/vaguemestre/settings"

// Labels gives the texts of the settings form.
func (l *Office365) Labels() map[string]settings.Label { return office365Labels }

// office365Labels is never changed.
var office365Labels = map[string]settings.Label{
	"account": label("Account", "Compte",
		"The associated Microsoft account that reads the mailbox. It may be chosen later.",
		"Le compte Microsoft associé qui lit la boîte. Il peut être choisi plus tard."),
	"mailbox": label("Shared mailbox", "Boîte mail partagée",
		"Empty: the account's own mailbox. Otherwise the address of a shared one, such as accueil@mondaine.fr or accueil@mondaine.fr:inbox; the account needs Full Access to it.",
		"Vide : la boîte du compte. Sinon l'adresse d'une boîte partagée, par exemple accueil@mondaine.fr ou accueil@mondaine.fr:inbox ; le compte doit y avoir un accès total."),
	"source": label("Source path", "Chemin source",
		"Folder to collect: inbox, or a path as Outlook shows it, such as Boîte de réception/Factures.",
		"Dossier à relever : inbox, ou un chemin tel qu'Outlook l'affiche, par exemple Boîte de réception/Factures."),
	"listing": label("Listing", "Recherche",
		"delta asks for what has changed since the last run (usual). full lists the whole folder each time.",
		"delta demande ce qui a changé depuis le dernier passage (usuel). full parcourt tout le dossier à chaque passage."),
	"timeout": label("Timeout", "Délai d'attente",
		"Longest silence of Microsoft 365 before a request is given up.",
		"Silence maximal de Microsoft 365 avant l'abandon d'une requête."),
}
