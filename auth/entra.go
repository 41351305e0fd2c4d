package auth

import (
	"fmt"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// row is what one AADSTS code comes to. The code is taken for help, and for a state that the
// word cannot tell (blocked); whether an answer is an error at all is decided by its word.
// learn.microsoft.com/entra/identity-platform/reference-error-codes
type row struct {
	code  int
	state State             // "" is failed
	class vaguemestre.Class // "" is auth
	en    string
	fr    string
}

const (
	config   = vaguemestre.ClassConfig
	deferred = vaguemestre.ClassDeferred
)

// entraCodes says for each code what to do and who can do it: the user, the administrator of
// the organisation, or whoever configures this program.
var entraCodes = []row{
	// Nobody signed in in time, or the answer was no.
	{65004, StateDeclined, "", "the user refused the permissions: begin again and accept them, or ask the administrator of the organisation to consent for everybody",
		"l'utilisateur a refusé les autorisations : recommencez et acceptez-les, ou demandez à l'administrateur de l'organisation de les accorder pour tous"},
	{70019, StateExpired, "", "the code has expired: ask for a new code and enter it within the time shown",
		"le code a expiré : demandez un nouveau code et saisissez-le dans le délai affiché"},
	{70020, StateExpired, "", "the code has expired: ask for a new code and enter it within the time shown",
		"le code a expiré : demandez un nouveau code et saisissez-le dans le délai affiché"},
	{70018, "", "", "the provider does not know this code: begin the sign-in again",
		"le fournisseur ne connaît pas ce code : recommencez la connexion"},
	{54005, "", "", "this code was used already: begin the sign-in again",
		"ce code a déjà été utilisé : recommencez la connexion"},

	// The organisation's policy.
	{53003, StateBlocked, "", "a Conditional Access policy of the organisation blocks this sign-in: ask its administrator to allow it (the authentication flow \"device code\" may be blocked: then sign in through the browser instead)",
		"une stratégie d'accès conditionnel de l'organisation bloque cette connexion : demandez à son administrateur de l'autoriser (si c'est le flux « code d'appareil » qui est bloqué, connectez-vous plutôt par le navigateur)"},
	{530035, StateBlocked, "", "the security defaults of the organisation block this sign-in: ask its administrator to allow it",
		"les paramètres de sécurité par défaut de l'organisation bloquent cette connexion : demandez à son administrateur de l'autoriser"},
	{53000, StateBlocked, "", "the organisation demands a compliant device: the user signs in from a managed one, or the administrator of the organisation makes an exception",
		"l'organisation exige un appareil conforme : l'utilisateur se connecte depuis un appareil géré, ou l'administrateur de l'organisation prévoit une exception"},
	{53001, StateBlocked, "", "the organisation demands a device that is joined to its domain: the user signs in from such a device, or the administrator of the organisation makes an exception",
		"l'organisation exige un appareil joint à son domaine : l'utilisateur se connecte depuis un tel appareil, ou l'administrateur de l'organisation prévoit une exception"},
	{53002, StateBlocked, "", "the organisation allows approved applications only: ask its administrator to approve this one",
		"l'organisation n'autorise que des applications approuvées : demandez à son administrateur d'approuver celle-ci"},
	{50105, StateBlocked, "", "the user is not assigned to this application: ask the administrator of the organisation to assign the user in Entra ID, under Enterprise applications",
		"l'utilisateur n'est pas affecté à cette application : demandez à l'administrateur de l'organisation de l'affecter dans Entra ID, sous Applications d'entreprise"},
	{50057, StateBlocked, "", "the user's account is disabled: ask the administrator of the organisation",
		"le compte de l'utilisateur est désactivé : adressez-vous à l'administrateur de l'organisation"},

	// Sign in again.
	{50173, "", "", "the grant was revoked (the password was changed, or the administrator ended the sessions): the user has to sign in again",
		"l'autorisation a été révoquée (mot de passe changé, ou sessions fermées par l'administrateur) : l'utilisateur doit se connecter à nouveau"},
	{50132, "", "", "the session was ended: the user has to sign in again",
		"la session a été fermée : l'utilisateur doit se connecter à nouveau"},
	{70000, "", "", "the grant is not valid any more: the user has to sign in again",
		"l'autorisation n'est plus valable : l'utilisateur doit se connecter à nouveau"},
	{70008, "", "", "the grant was not used for too long: the user has to sign in again",
		"l'autorisation est restée trop longtemps inutilisée : l'utilisateur doit se connecter à nouveau"},
	{700082, "", "", "the grant was not used for 90 days: the user has to sign in again, and whoever configures this program should let it run regularly",
		"l'autorisation est restée inutilisée 90 jours : l'utilisateur doit se connecter à nouveau, et la personne qui configure ce programme devrait le faire tourner régulièrement"},
	{70043, "", "", "the organisation demands a new sign-in at intervals: the user has to sign in again; its administrator can lengthen the interval (sign-in frequency)",
		"l'organisation exige une nouvelle connexion à intervalles réguliers : l'utilisateur doit se connecter à nouveau ; son administrateur peut allonger l'intervalle (fréquence de connexion)"},
	{50076, "", "", "a second factor is needed: the user has to sign in again and confirm with it",
		"un second facteur est nécessaire : l'utilisateur doit se connecter à nouveau et confirmer avec celui-ci"},
	{50078, "", "", "the confirmation by a second factor has expired: the user has to sign in again",
		"la confirmation par second facteur a expiré : l'utilisateur doit se connecter à nouveau"},
	{50079, "", "", "a second factor has to be registered: the user signs in again and follows the provider's instructions",
		"un second facteur doit être enregistré : l'utilisateur se connecte à nouveau et suit les instructions du fournisseur"},
	{65001, "", "", "the permissions were not consented to: the user has to sign in again and accept them, or the administrator of the organisation consents for everybody",
		"les autorisations n'ont pas été accordées : l'utilisateur doit se connecter à nouveau et les accepter, ou l'administrateur de l'organisation les accorde pour tous"},
	{90094, StateBlocked, "", "only the administrator of the organisation may consent to these permissions: ask for that",
		"seul l'administrateur de l'organisation peut accorder ces autorisations : demandez-le-lui"},

	// The settings of this program, or the registration of the application.
	{7000218, "", config, "the registration of the application does not allow public clients: whoever manages it in Entra ID sets \"Allow public client flows\" to Yes under Authentication, or whoever configures this program enters the client secret",
		"l'inscription de l'application n'autorise pas les clients publics : la personne qui la gère dans Entra ID met « Autoriser les flux clients publics » sur Oui sous Authentification, ou la personne qui configure ce programme saisit le secret client"},
	{700025, "", config, "the application is registered as a public client: whoever configures this program removes the client secret or certificate",
		"l'application est inscrite comme client public : la personne qui configure ce programme retire le secret client ou le certificat"},
	{700016, "", config, "the organisation does not know this application: whoever configures this program checks client_id and tenant, or the administrator of the organisation adds the application",
		"l'organisation ne connaît pas cette application : la personne qui configure ce programme vérifie client_id et tenant, ou l'administrateur de l'organisation ajoute l'application"},
	{700011, "", config, "the organisation does not know this application: whoever configures this program checks client_id and tenant, or the administrator of the organisation adds the application",
		"l'organisation ne connaît pas cette application : la personne qui configure ce programme vérifie client_id et tenant, ou l'administrateur de l'organisation ajoute l'application"},
	{50194, "", config, "the application belongs to one organisation alone: whoever configures this program sets tenant to that organisation's id or domain",
		"l'application appartient à une seule organisation : la personne qui configure ce programme met dans tenant l'identifiant ou le domaine de cette organisation"},
	{90002, "", config, "there is no such tenant: whoever configures this program checks tenant (and cloud)",
		"ce tenant n'existe pas : la personne qui configure ce programme vérifie tenant (et cloud)"},
	{50020, "", config, "the user belongs to another organisation than the tenant: sign in as a user of that organisation, or whoever configures this program changes tenant",
		"l'utilisateur appartient à une autre organisation que le tenant : connectez-vous avec un utilisateur de cette organisation, ou la personne qui configure ce programme change tenant"},
	{7000012, "", config, "the account signed in through another tenant than the settings name now: whoever configures this program puts tenant back, or the user signs in again",
		"le compte s'est connecté par un autre tenant que celui des paramètres : la personne qui configure ce programme rétablit tenant, ou l'utilisateur se connecte à nouveau"},
	{50011, "", config, "the redirect address is not registered: whoever manages the application in Entra ID adds it under Authentication (http://localhost as a mobile and desktop application)",
		"l'adresse de redirection n'est pas inscrite : la personne qui gère l'application dans Entra ID l'ajoute sous Authentification (http://localhost comme application mobile et de bureau)"},
	{900144, "", config, "the provider misses a parameter of the request: tell whoever maintains this program",
		"il manque un paramètre à la requête selon le fournisseur : prévenez la personne qui maintient ce programme"},
	{70011, "", config, "the provider does not know one of the permissions: whoever configures this program checks roles, cloud and graph_url",
		"le fournisseur ne connaît pas l'une des autorisations : la personne qui configure ce programme vérifie roles, cloud et graph_url"},
	{70002, "", config, "the application could not prove itself: whoever configures this program checks the client secret or certificate",
		"l'application n'a pas pu s'authentifier : la personne qui configure ce programme vérifie le secret client ou le certificat"},
	{7000215, "", config, "the client secret is wrong: whoever configures this program enters the secret's value (not its id)",
		"le secret client est faux : la personne qui configure ce programme saisit la valeur du secret (et non son identifiant)"},
	{7000222, "", config, "the client secret has expired: whoever manages the application in Entra ID makes a new one, and whoever configures this program enters it",
		"le secret client a expiré : la personne qui gère l'application dans Entra ID en crée un nouveau, et la personne qui configure ce programme le saisit"},
	{700027, "", config, "the certificate is not the one that is registered, or has expired: whoever manages the application in Entra ID uploads the certificate of certificate_file",
		"le certificat n'est pas celui qui est inscrit, ou il a expiré : la personne qui gère l'application dans Entra ID y dépose le certificat de certificate_file"},
	{53009, StateBlocked, "", "the organisation demands protection by Intune, which this program does not have: ask its administrator for an exception",
		"l'organisation exige une protection Intune, que ce programme n'a pas : demandez une exception à son administrateur"},

	// It passes.
	{50196, "", deferred, "the provider was asked too often: nothing is to be done for some minutes; if it comes again, tell whoever maintains this program",
		"le fournisseur a été sollicité trop souvent : il n'y a rien à faire pendant quelques minutes ; si cela se répète, prévenez la personne qui maintient ce programme"},
}

// entraRows is entraCodes by code.
var entraRows = func() map[int]row {
	m := make(map[int]row, len(entraCodes))
	for _, r := range entraCodes {
		m[r.code] = r
	}
	return m
}()

// explainEntra is [dialect.explain] for Entra ID.
func explainEntra(a *answerError) verdict {
	v := explainWord(a)
	for _, code := range a.Codes {
		r, ok := entraRows[code]
		if !ok {
			continue
		}
		if v.state == StateWaiting || v.fault { // the word has decided; 70016 is in no row
			break
		}
		v.code = fmt.Sprintf("AADSTS%d", code)
		v.help = settings.Text{EN: r.en, FR: r.fr}
		if r.class == deferred {
			return verdict{fault: true, state: StateWaiting, class: deferred, code: v.code, help: v.help}
		}
		if r.class != "" {
			v.class = r.class
		}
		if r.state != "" && (v.state == StateFailed || r.state == StateBlocked) { // access_denied may be the policy too
			v.state = r.state
		}
		return v
	}
	if len(a.Codes) > 0 && v.state != StateWaiting && !v.fault {
		v.code = fmt.Sprintf("AADSTS%d", a.Codes[0])
	}
	return v
}
