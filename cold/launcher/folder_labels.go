package launcher

import "github.com/vaguemestre/vaguemestre/settings"

// folderLabels is never changed.
var folderLabels = map[string]settings.Label{
	"path": label("Directory", "Répertoire",
		"The directory to watch, local or a mounted share, such as /srv/depot.",
		"Le répertoire à surveiller, local ou partage monté, par exemple /srv/depot."),
	"unit": label("Unit", "Unité",
		"files: each file is imported by itself. directories: the files of each sub-directory belong together.",
		"files : chaque fichier est importé seul. directories : les fichiers d'un même sous-répertoire vont ensemble."),
	"recursive": label("Sub-directories", "Sous-répertoires",
		"Also imports the files of sub-directories.",
		"Importe aussi les fichiers des sous-répertoires."),
	"error_dir": label("Error directory", "Répertoire des erreurs",
		"Where files go that cannot be read after three tries; relative to the directory above the watched one.",
		"Où sont mis les fichiers illisibles après trois essais ; relatif au répertoire parent de celui surveillé."),
	"end_marker": label("End marker", "Fichier de fin",
		"Name of the file that says that a deposit is complete, such as fichier_termine.txt. It is not imported.",
		"Nom du fichier qui annonce un dépôt complet, par exemple fichier_termine.txt. Il n'est pas importé."),
	"stable_for": label("Unchanged for", "Inchangé depuis",
		"A file is complete when its size and time have not changed for this long.",
		"Un fichier est complet quand sa taille et sa date n'ont pas changé pendant cette durée."),
	"ignore": label("Temporary files", "Fichiers temporaires",
		"Endings of names that are still being written, such as .part.",
		"Terminaisons des noms de fichiers en cours d'écriture, par exemple .part."),
	"poll": label("Interval", "Intervalle",
		"Longest time between two looks, also when the system tells of no change.",
		"Durée maximale entre deux examens, même si le système n'annonce aucun changement."),
}
