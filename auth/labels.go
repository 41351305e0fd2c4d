package auth

import "github.com/vaguemestre/vaguemestre/settings"

func label(en, fr, helpEN, helpFR string) settings.Label {
	return settings.Label{Name: settings.Text{EN: en, FR: fr}, Help: settings.Text{EN: helpEN, FR: helpFR}}
}

// Labels gives the texts of the form.
func (*Microsoft) Labels() map[string]settings.Label {
	l := label
	return map[string]settings.Label{
		"client_id": l("Application id", "Identifiant de l'application",
			"\"Application (client) ID\" of the registration in Entra ID.", "« ID d'application (client) » de l'inscription dans Entra ID."),
		"tenant": l("Tenant", "Tenant (annuaire)",
			"Id or domain of the organisation. common takes everybody, organizations work accounts, consumers personal ones.",
			"Identifiant ou domaine de l'organisation. common accepte tout le monde, organizations les comptes professionnels, consumers les comptes personnels."),
		"cloud": l("Cloud", "Cloud", "Where the organisation's mailboxes are.", "Celui qui héberge les boîtes aux lettres de l'organisation."),

		"cloud=worldwide": l("Worldwide", "Mondial", "", ""),
		"cloud=usgov":     l("US Government (GCC High)", "Gouvernement des États-Unis (GCC High)", "", ""),
		"cloud=usgov_dod": l("US Department of Defense", "Département de la Défense des États-Unis", "", ""),
		"cloud=china":     l("China (21Vianet)", "Chine (21Vianet)", "", ""),

		"roles": l("Used for", "Utilisé pour",
			"Decides which permissions a new sign-in asks for. After a change the accounts have to sign in again.",
			"Détermine les autorisations demandées à la prochaine connexion. Après un changement, les comptes doivent se connecter à nouveau."),
		"roles=send":       l("Send mail (up to 3.5 MB)", "Envoyer des courriels (jusqu'à 3,5 Mo)", "", ""),
		"roles=send_large": l("Send large mail (up to 150 MB)", "Envoyer des courriels volumineux (jusqu'à 150 Mo)", "", ""),
		"roles=collect":    l("Collect mail", "Collecter les courriels", "", ""),
		"roles=shared":     l("Shared mailboxes too", "Boîtes partagées également", "", ""),
		"roles=imap":       l("Log in to IMAP", "Se connecter en IMAP", "", ""),
		"roles=pop":        l("Log in to POP3", "Se connecter en POP3", "", ""),
		"roles=smtp":       l("Log in to SMTP", "Se connecter en SMTP", "", ""),

		"grant": l("Acts as", "Agit en tant que",
			"As an application it reaches every mailbox of the organisation, unless the administrator restricts it in Exchange (RBAC for Applications).",
			"En tant qu'application, il accède à toutes les boîtes de l'organisation, sauf si l'administrateur le restreint dans Exchange (RBAC for Applications)."),
		"grant=delegated":   l("The user who signed in", "L'utilisateur connecté", "", ""),
		"grant=application": l("The application itself", "L'application elle-même", "", ""),

		"client_secret": l("Client secret", "Secret client",
			"Value of the secret, not its id. Only for an application that is registered as confidential.",
			"Valeur du secret, et non son identifiant. Seulement pour une application inscrite comme confidentielle."),
		"certificate_file": l("Certificate file", "Fichier de certificat",
			"PEM with the certificate and its RSA key, in place of a secret.", "PEM avec le certificat et sa clé RSA, à la place d'un secret."),
		"authority": l("Address of the sign-in", "Adresse de connexion",
			"Leave empty for the cloud's own: https://login.microsoftonline.com.", "Laissez vide pour celle du cloud : https://login.microsoftonline.com."),
		"graph_url": l("Address of Graph", "Adresse de Graph",
			"Leave empty for the cloud's own: https://graph.microsoft.com.", "Laissez vide pour celle du cloud : https://graph.microsoft.com."),
		"outlook_url": l("Resource of IMAP, POP and SMTP", "Ressource pour IMAP, POP et SMTP",
			"Leave empty for the cloud's own: https://outlook.office.com.", "Laissez vide pour celle du cloud : https://outlook.office.com."),
		"ca_file": caLabel,
		"timeout": timeoutLabel,
	}
}

// Labels gives the texts of the form.
func (*OAuth2) Labels() map[string]settings.Label {
	l := label
	return map[string]settings.Label{
		"preset":        l("Provider", "Fournisseur", "Fills in what is known of it.", "Remplit ce qui est connu de ce fournisseur."),
		"preset=none":   l("Other", "Autre", "", ""),
		"preset=google": l("Google", "Google", "", ""),
		"client_id": l("Client id", "Identifiant client",
			"As the provider gave it when the application was registered.", "Tel que le fournisseur l'a donné lors de l'inscription de l'application."),
		"client_secret": l("Client secret", "Secret client",
			"Leave empty for a public client. Google demands it of desktop applications too.",
			"Laissez vide pour un client public. Google l'exige aussi des applications de bureau."),
		"issuer": l("Issuer", "Émetteur",
			"Its discovery document gives the addresses below that are empty.", "Son document de découverte donne les adresses ci-dessous qui sont vides."),
		"device_url": l("Device address", "Adresse des codes d'appareil", "Without it users sign in through the browser.", "Sans elle, les utilisateurs se connectent par le navigateur."),
		"auth_url":   l("Authorization address", "Adresse d'autorisation", "", ""),
		"token_url":  l("Token address", "Adresse des jetons", "", ""),
		"scopes": l("Scopes", "Scopes",
			"As the provider calls them; add offline_access where it has that. Leave empty for Gmail.",
			"Comme le fournisseur les nomme ; ajoutez offline_access là où il existe. Laissez vide pour Gmail."),
		"grant":             l("Acts as", "Agit en tant que", "", ""),
		"grant=delegated":   l("The user who signed in", "L'utilisateur connecté", "", ""),
		"grant=application": l("The application itself", "L'application elle-même", "", ""),
		"ca_file":           caLabel,
		"timeout":           timeoutLabel,
	}
}

var (
	caLabel = label("Authority file", "Fichier d'autorité", "Certificate of your own authority, PEM; replaces those of the system.",
		"Certificat de votre propre autorité, au format PEM ; remplace ceux du système.")
	timeoutLabel = label("Timeout", "Délai d'attente", "For each answer of the provider.", "Pour chaque réponse du fournisseur.")
)
