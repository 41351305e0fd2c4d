package auth

import (
	"net/http"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// texts of what the words of RFC 6749, RFC 8628 and OpenID Connect come to.
var (
	helpDeclined = settings.Text{
		EN: "the user refused the sign-in: begin again and accept it if that was a mistake",
		FR: "l'utilisateur a refusé la connexion : recommencez et acceptez-la si c'était une erreur"}
	helpExpired = settings.Text{
		EN: "nobody signed in in time: ask for a new code and enter it within the time shown",
		FR: "personne ne s'est connecté à temps : demandez un nouveau code et saisissez-le dans le délai affiché"}
	helpUnknownCode = settings.Text{
		EN: "the provider does not know this code: begin the sign-in again",
		FR: "le fournisseur ne connaît pas ce code : recommencez la connexion"}
	helpSignIn = settings.Text{
		EN: "the provider takes the account's grant no more: the user has to sign in again",
		FR: "le fournisseur n'accepte plus l'autorisation du compte : l'utilisateur doit se connecter à nouveau"}
	helpClient = settings.Text{
		EN: "the provider does not accept this application: whoever configures this program checks the client id and secret",
		FR: "le fournisseur n'accepte pas cette application : la personne qui configure ce programme vérifie l'identifiant et le secret client"}
	helpUnauthorized = settings.Text{
		EN: "the application may not sign in this way: whoever manages its registration at the provider allows it, or another way to sign in is chosen",
		FR: "l'application n'a pas le droit de se connecter ainsi : la personne qui gère son inscription chez le fournisseur l'autorise, ou un autre mode de connexion est choisi"}
	helpScope = settings.Text{
		EN: "the provider does not know or give one of the permissions: whoever configures this program checks the roles or scopes",
		FR: "le fournisseur ne connaît pas ou n'accorde pas l'une des autorisations : la personne qui configure ce programme vérifie les rôles ou les scopes"}
	helpRequest = settings.Text{
		EN: "the provider does not understand the request: whoever configures this program checks the addresses of the provider",
		FR: "le fournisseur ne comprend pas la requête : la personne qui configure ce programme vérifie les adresses du fournisseur"}
	helpUnknown = settings.Text{
		EN: "the provider refuses without a known reason: try again, then show the code to whoever configures this program",
		FR: "le fournisseur refuse sans raison connue : réessayez, puis montrez le code à la personne qui configure ce programme"}
	helpStranger = settings.Text{
		EN: "what answers is not the provider: whoever configures this program checks the provider's addresses, and whoever runs the network looks for a proxy or login page in between",
		FR: "ce qui répond n'est pas le fournisseur : la personne qui configure ce programme vérifie les adresses du fournisseur, et la personne qui gère le réseau cherche un proxy ou une page de connexion intermédiaire"}
	helpFault = settings.Text{
		EN: "the provider cannot be reached or is out of order: nothing is to be done, it is asked again; if it lasts, whoever runs the network checks that its addresses are open",
		FR: "le fournisseur est injoignable ou en panne : il n'y a rien à faire, il sera sollicité à nouveau ; si cela dure, la personne qui gère le réseau vérifie que ses adresses sont ouvertes"}
)

// explainWord tells what an error answer means by its status and word alone.
func explainWord(a *answerError) verdict {
	v := verdict{state: StateFailed, class: vaguemestre.ClassAuth, code: clean(a.Word), help: helpUnknown}
	if inTrouble(a) {
		return faultOf(a)
	}
	switch a.Word {
	// RFC 8628 section 3.5.
	case "authorization_pending":
		return verdict{state: StateWaiting, class: vaguemestre.ClassDeferred, code: a.Word}
	case "slow_down":
		return verdict{state: StateWaiting, slow: true, class: vaguemestre.ClassDeferred, code: a.Word}
	// QUIRK: Entra says authorization_declined where the RFC says access_denied.
	case "access_denied", "authorization_declined":
		v.state, v.help = StateDeclined, helpDeclined
	// QUIRK: older answers of Entra say code_expired.
	case "expired_token", "code_expired":
		v.state, v.help = StateExpired, helpExpired
	case "bad_verification_code":
		v.help = helpUnknownCode

	// RFC 6749 section 5.2, OpenID Connect Core 1.0 section 3.1.2.6. QUIRK: Entra answers
	// the latter from the token endpoint too.
	case "invalid_grant", "interaction_required", "login_required", "consent_required":
		v.dead, v.help = true, helpSignIn
	case "invalid_client":
		v.class, v.help = config, helpClient
	case "unauthorized_client":
		v.class, v.help = config, helpUnauthorized
	case "invalid_scope", "invalid_resource", "invalid_target":
		v.class, v.help = config, helpScope
	case "invalid_request", "unsupported_grant_type", "unsupported_response_type":
		v.class, v.help = config, helpRequest

	case "temporarily_unavailable", "server_error":
		return faultOf(a)
	}
	return v
}

// inTrouble reports whether the provider, or a proxy before it, is overloaded or out of
// order, whatever the word. slow_down and authorization_pending are answers at any status:
// Google gives them with 403 and 428.
func inTrouble(a *answerError) bool {
	if a.Word == "slow_down" || a.Word == "authorization_pending" {
		return false
	}
	return a.Word == "" || a.Status == http.StatusTooManyRequests || a.Status >= 500
}

func faultOf(a *answerError) verdict {
	v := verdict{state: StateWaiting, fault: true, class: vaguemestre.ClassDeferred, code: clean(a.Word), help: helpFault}
	if a.Word == "" && a.Status < 500 && a.Status != http.StatusTooManyRequests {
		v.help = helpStranger
	}
	return v
}

var noHelp settings.Text

// texts of what this package itself finds.
var (
	helpNotAssociated = settings.Text{
		EN: "nobody has signed in for this account yet: associate it",
		FR: "personne ne s'est encore connecté pour ce compte : associez-le"}
	helpNoFlow = settings.Text{
		EN: "no sign-in waits for this account: begin one",
		FR: "aucune connexion n'est en attente pour ce compte : commencez-en une"}
	helpReplaced = settings.Text{
		EN: "a newer sign-in has taken the place of this one: go on with that",
		FR: "une connexion plus récente a remplacé celle-ci : poursuivez avec elle"}
	helpCanceled = settings.Text{
		EN: "the sign-in was canceled: begin again if the account is still to be associated",
		FR: "la connexion a été annulée : recommencez si le compte doit toujours être associé"}
	helpOther = settings.Text{
		EN: "somebody else signed in than expected: begin again and sign in as the right user",
		FR: "la personne connectée n'est pas celle attendue : recommencez avec le bon utilisateur"}
	helpNotStored = settings.Text{
		EN: "the sign-in worked and could not be stored: whoever configures this program checks its database or directory, then begin again",
		FR: "la connexion a réussi mais n'a pas pu être enregistrée : la personne qui configure ce programme vérifie sa base ou son répertoire, puis recommencez"}
	helpMissing = settings.Text{
		EN: "some permissions were not granted: the user signs in again and accepts them all, or the administrator of the organisation consents for everybody",
		FR: "certaines autorisations n'ont pas été accordées : l'utilisateur se connecte à nouveau et les accepte toutes, ou l'administrateur de l'organisation les accorde pour tous"}
	helpNoRefresh = settings.Text{
		EN: "the provider gave access for a short time only: whoever configures this program adds the scope that allows offline access, then sign in again",
		FR: "le fournisseur n'a donné qu'un accès de courte durée : la personne qui configure ce programme ajoute le scope d'accès hors connexion, puis connectez-vous à nouveau"}
	helpStore = settings.Text{
		EN: "the store of the accounts cannot be read now: whoever configures this program checks its database or directory; the sign-in goes on",
		FR: "le stockage des comptes est illisible pour l'instant : la personne qui configure ce programme vérifie sa base ou son répertoire ; la connexion se poursuit"}
	helpURL = settings.Text{
		EN: "the provider named no page that can be opened safely: whoever configures this program checks the provider's addresses",
		FR: "le fournisseur n'a indiqué aucune page qui s'ouvre de façon sûre : la personne qui configure ce programme vérifie les adresses du fournisseur"}
	helpPort = settings.Text{
		EN: "another program of this machine holds the port where the browser comes back: begin again",
		FR: "un autre programme de cette machine occupe le port où revient le navigateur : recommencez"}
	helpCutOff = settings.Text{
		EN: "the program left before the provider had answered: begin the sign-in again",
		FR: "le programme s'est interrompu avant la réponse du fournisseur : recommencez la connexion"}
	helpState = settings.Text{
		EN: "this answer does not belong to the sign-in that waits, or came twice: open the page of the newest one",
		FR: "cette réponse n'appartient pas à la connexion en attente, ou est arrivée deux fois : ouvrez la page de la plus récente"}
)
