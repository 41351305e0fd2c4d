package main

import (
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/settings"
)

// words are the texts of the program in one language.
type words struct {
	tag  string // of the provider's pages (BCP 47)
	help func(settings.Text) string

	title, again, resumed       string
	open, openHere, type_, sign string
	waiting, left, minute       string
	fault                       string
	approved, associated        string
	granted, missing            string
	interrupted, stopped        string
	forgotten                   string
	states                      map[auth.State]string
	standings                   map[auth.Standing]string
	standing                    string
	user, since, pending        string
	date                        string
}

var languages = map[string]*words{
	"en": {
		tag: "en-US", help: func(t settings.Text) string { return t.EN },
		title:       "Associating the account %q.",
		again:       "%s has signed in before; who signs in now takes that place.",
		resumed:     "An earlier request is still open and is taken up again; -new begins another.",
		open:        "  1. Open this page in a browser, on any device:  %s",
		openHere:    "  1. Open this page in a browser on this machine:\n     %s",
		type_:       "  2. Type this code:  %s",
		sign:        "  3. Choose the account, sign in and accept what is asked.",
		waiting:     "Waiting (Ctrl-C stops; the same command goes on).",
		left:        "Waiting: %s left (Ctrl-C stops; the same command goes on)",
		minute:      "%s left.",
		fault:       "Trouble on the way, it goes on: %s",
		approved:    "Associated: %s signed in.",
		associated:  "Associated.",
		granted:     "Granted:  %s",
		missing:     "Missing:  %s",
		interrupted: "Stopped. The request stays open until %s: the same command takes it up again, -new begins another.",
		stopped:     "Stopped. The same command goes on.",
		forgotten:   "What was stored of the account %q is removed.",
		states: map[auth.State]string{auth.StateDeclined: "Declined", auth.StateExpired: "Expired", auth.StateBlocked: "Blocked",
			auth.StateFailed: "Failed", auth.StateCanceled: "Canceled"},
		standings: map[auth.Standing]string{auth.StandingNone: "not associated", auth.StandingReady: "ready",
			auth.StandingReauth: "must be associated again", auth.StandingDegraded: "usable; its newest tokens are not stored yet"},
		standing: "%s: %s", user: "User:     %s", since: "Since:    %s", pending: "A request to sign in is open.", date: "2006-01-02 15:04",
	},
	"fr": {
		tag: "fr-FR", help: func(t settings.Text) string { return t.FR },
		title:       "Association du compte « %s ».",
		again:       "%s s'est déjà connecté ; la personne qui se connecte maintenant prendra sa place.",
		resumed:     "Une demande commencée plus tôt est encore ouverte, elle est reprise ; -new en commence une autre.",
		open:        "  1. Ouvrez cette page dans un navigateur, sur n'importe quel appareil :  %s",
		openHere:    "  1. Ouvrez cette page dans un navigateur de cette machine :\n     %s",
		type_:       "  2. Saisissez ce code :  %s",
		sign:        "  3. Choisissez le compte, connectez-vous et acceptez les autorisations demandées.",
		waiting:     "En attente (Ctrl-C arrête ; la même commande reprend).",
		left:        "En attente : encore %s (Ctrl-C arrête ; la même commande reprend)",
		minute:      "Encore %s.",
		fault:       "Difficulté de liaison, l'attente continue : %s",
		approved:    "Compte associé : %s s'est connecté.",
		associated:  "Compte associé.",
		granted:     "Accordé :   %s",
		missing:     "Manquant :  %s",
		interrupted: "Arrêté. La demande reste ouverte jusqu'à %s : la même commande la reprend, -new en commence une autre.",
		stopped:     "Arrêté. La même commande reprend.",
		forgotten:   "Les données conservées pour le compte « %s » sont supprimées.",
		states: map[auth.State]string{auth.StateDeclined: "Refusé", auth.StateExpired: "Expiré", auth.StateBlocked: "Bloqué",
			auth.StateFailed: "Échec", auth.StateCanceled: "Annulé"},
		standings: map[auth.Standing]string{auth.StandingNone: "non associé", auth.StandingReady: "prêt",
			auth.StandingReauth: "à associer de nouveau", auth.StandingDegraded: "utilisable ; ses derniers jetons ne sont pas encore enregistrés"},
		standing: "%s : %s", user: "Compte :    %s", since: "Depuis :    %s", pending: "Une demande de connexion est ouverte.", date: "02/01/2006 15:04",
	},
}
