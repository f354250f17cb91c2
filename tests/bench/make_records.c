/* Records like those of a care home, as JSON Lines for `syncctl record import --key key`:
 *
 *     make_records COUNT [--from N] [--step N] [--round N] [--field NAME]
 *
 * COUNT records, numbers N, N + STEP, ...; the same number and round give the same record, so that
 * a later round is an edit. With --field it is an edit of that field alone. A record has 8 fields:
 * names, dates, numbers, and a note in French whose words are as unequally frequent as words are;
 * with its names it is a map of 300 bytes, more or less. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static const char *const first_names[] = {
    "Marie",      "Jeanne",  "Odette",    "Lucienne", "Yvonne",  "Simone",  "Denise",   "Paulette",
    "Germaine",   "Suzanne", "Andrée",    "Marcelle", "Renée",   "Thérèse", "Huguette", "Monique",
    "Jacqueline", "Colette", "Georgette", "Raymonde", "André",   "Marcel",  "René",     "Roger",
    "Robert",     "Georges", "Henri",     "Lucien",   "Raymond", "Maurice", "Gaston",   "Fernand",
    "Émile",      "Léon",    "Albert",    "Jules",    "Pierre",  "Jean",    "Claude",   "Gérard",
};

static const char *const last_names[] = {
    "Martin",   "Bernard",   "Thomas",   "Petit",    "Durand",  "Leroy",     "Moreau",
    "Simon",    "Laurent",   "Lefebvre", "Michel",   "Garcia",  "David",     "Bertrand",
    "Roux",     "Vincent",   "Fournier", "Morel",    "Girard",  "Lambert",   "Bonnet",
    "François", "Faure",     "Rousseau", "Blanc",    "Guérin",  "Muller",    "Henry",
    "Roussel",  "Perrin",    "Morin",    "Mathieu",  "Clément", "Gauthier",  "Dumont",
    "Fontaine", "Chevalier", "Robin",    "Masson",   "Sanchez", "Delmas",    "Bessières",
    "Cazals",   "Vidal",     "Lacoste",  "Pradines", "Couderc", "Delbreil",  "Marcenac",
    "Fabre",    "Bouyssou",  "Calmels",  "Ségala",   "Laborie", "Teyssèdre", "Vaysse",
};

/* The more frequent first: number n is drawn about 1/n as often as the first. */
static const char *const words[] = {
    "de",
    "la",
    "et",
    "le",
    "à",
    "a",
    "pas",
    "pour",
    "avec",
    "ce",
    "matin",
    "soir",
    "est",
    "bien",
    "dans",
    "son",
    "repas",
    "nuit",
    "sa",
    "une",
    "un",
    "plus",
    "se",
    "toilette",
    "au",
    "traitement",
    "infirmière",
    "famille",
    "douleur",
    "mangé",
    "dormi",
    "tension",
    "médecin",
    "chambre",
    "aide",
    "rendez-vous",
    "calme",
    "fatiguée",
    "surveiller",
    "demande",
    "refuse",
    "fille",
    "fils",
    "visite",
    "pansement",
    "jambe",
    "gauche",
    "droite",
    "promenade",
    "fauteuil",
    "lever",
    "coucher",
    "hydratation",
    "eau",
    "petit-déjeuner",
    "déjeuner",
    "goûter",
    "dîner",
    "appétit",
    "moitié",
    "tout",
    "rien",
    "peu",
    "beaucoup",
    "hier",
    "demain",
    "lundi",
    "mardi",
    "mercredi",
    "jeudi",
    "vendredi",
    "samedi",
    "dimanche",
    "kiné",
    "marche",
    "déambulateur",
    "chute",
    "sans",
    "gravité",
    "température",
    "glycémie",
    "insuline",
    "unités",
    "comprimé",
    "renouvelé",
    "ordonnance",
    "pharmacie",
    "laboratoire",
    "prise",
    "sang",
    "résultat",
    "normal",
    "élevé",
    "appeler",
    "prévenir",
    "transmis",
    "équipe",
    "animation",
    "chorale",
    "jardin",
    "lecture",
    "télévision",
    "sourire",
    "anxieuse",
    "agitée",
    "rassurée",
    "désorientée",
    "parle",
    "mari",
    "souvenir",
    "sommeil",
    "agité",
    "réveillée",
    "heures",
    "change",
    "peau",
    "rougeur",
    "talon",
    "escarre",
    "prévention",
    "matelas",
    "crème",
    "appliquée",
    "bas",
    "contention",
    "pesée",
    "poids",
    "stable",
    "perte",
    "kilo",
    "mixé",
    "texture",
    "fausse",
    "route",
    "épaissie",
    "allergie",
    "prothèse",
    "dentaire",
    "lunettes",
    "appareil",
    "auditif",
    "piles",
    "coiffeur",
    "pédicure",
    "linge",
    "étiqueté",
    "téléphone",
    "nièce",
    "petits-enfants",
    "anniversaire",
    "messe",
    "curé",
    "bénévole",
    "musique",
    "accordéon",
    "belote",
    "oxygène",
    "litres",
    "minute",
    "saturation",
    "essoufflée",
    "toux",
    "antibiotique",
    "sept",
    "jours",
    "urines",
    "sonde",
    "selles",
    "constipation",
    "laxatif",
    "diarrhée",
    "isolement",
    "précautions",
    "masque",
    "vaccin",
    "grippe",
    "rappel",
    "dossier",
    "tutelle",
    "notaire",
    "hôpital",
    "ambulance",
    "retour",
    "compte-rendu",
    "scanner",
    "cardiologue",
    "ophtalmologue",
    "psychologue",
    "entretien",
    "orthophoniste",
    "ergothérapeute",
    "barrières",
};

static const char *const doctors[] = {
    "Dr Alary",   "Dr Boutet",  "Dr Cassagne", "Dr Delpech", "Dr Escudié", "Dr Fourès",
    "Dr Gineste", "Dr Hébrard", "Dr Issaly",   "Dr Jouanny", "Dr Lagarde", "Dr Maury",
};

static size_t below(struct qn_prng *draw, size_t bound)
{
    return (size_t)qn_prng_below(draw, bound);
}

/* Zipf's law, flattened at its head as in short notes: word n has the weight 1 / (n + 12). */
static const char *word(struct qn_prng *draw)
{
    static double sums[COUNT_OF(words)];
    size_t count = COUNT_OF(words);
    for (size_t i = 0; sums[count - 1] == 0 && i < count; i++)
        sums[i] = (i == 0 ? 0 : sums[i - 1]) + 1.0 / (double)(i + 13);
    double point = (double)below(draw, 1 << 30) / (1 << 30) * sums[count - 1];
    size_t low = 0, high = count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sums[middle] < point)
            low = middle + 1;
        else
            high = middle;
    }
    return words[low];
}

/* What stands between the words of such notes: times, figures, people. */
static int put_detail(struct qn_prng *draw)
{
    switch (below(draw, 40)) {
    case 0:
        return printf(" %zu h %02zu,", 7 + below(draw, 14), below(draw, 60));
    case 1:
        return printf(" %zu,%zu kg", 40 + below(draw, 60), below(draw, 10));
    case 2:
        return printf(" %zu/%zu", 95 + below(draw, 90), 50 + below(draw, 50));
    case 3:
        return printf(" %zu,%zu °C", 35 + below(draw, 5), below(draw, 10));
    case 4:
        return printf(" Mme %s", last_names[below(draw, COUNT_OF(last_names))]);
    case 5:
        return printf(" %zu/%zu", 1 + below(draw, 28), 1 + below(draw, 12));
    default:
        return 0;
    }
}

static void put_note(struct qn_prng *draw)
{
    size_t size = 70 + below(draw, 170), done = 0;
    while (done < size) {
        done += (size_t)printf(done == 0 ? "%s" : " %s", word(draw));
        done += (size_t)put_detail(draw);
    }
    putchar('.');
}

static void put_date(struct qn_prng *draw, size_t year, size_t years)
{
    size_t at = year + below(draw, years), month = 1 + below(draw, 12);
    printf("%zu-%02zu-%02zu", at, month, 1 + below(draw, 28));
}

static void put_value(struct qn_prng *draw, size_t field)
{
    switch (field) {
    case 0:
        printf("\"%s\"", last_names[below(draw, COUNT_OF(last_names))]);
        break;
    case 1:
        printf("\"%s\"", first_names[below(draw, COUNT_OF(first_names))]);
        break;
    case 2:
    case 3:
        putchar('"');
        put_date(draw, field == 2 ? 1925 : 2015, field == 2 ? 30 : 12);
        putchar('"');
        break;
    case 4:
        printf("%zu", 100 * (1 + below(draw, 4)) + below(draw, 40));
        break;
    case 5:
        printf("\"05 65 %02zu %02zu %02zu\"", below(draw, 100), below(draw, 100), below(draw, 100));
        break;
    case 6:
        printf("\"%s\"", doctors[below(draw, COUNT_OF(doctors))]);
        break;
    default:
        putchar('"');
        put_note(draw);
        putchar('"');
    }
}

static const char *const names[] = {
    "nom", "prenom", "naissance", "entree", "chambre", "telephone", "medecin", "transmissions",
};

struct options {
    unsigned long long from, step, round;
    const char *field;
};

/* Each field has draws of its own, so that an edit of one leaves the others as they are. */
static void put_record(const struct options *options, unsigned long long number)
{
    printf("{\"key\":\"resident-%08llu\"", number);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct qn_prng draw = {(number * COUNT_OF(names) + i) * 1000003 + options->round};
        if (options->field != NULL && strcmp(options->field, names[i]) != 0)
            continue;
        printf(",\"%s\":", names[i]);
        put_value(&draw, i);
    }
    puts("}");
}

static bool take_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--from") == 0)
        options->from = strtoull(value, NULL, 10);
    else if (strcmp(name, "--step") == 0)
        options->step = strtoull(value, NULL, 10);
    else if (strcmp(name, "--round") == 0)
        options->round = strtoull(value, NULL, 10);
    else if (strcmp(name, "--field") == 0)
        options->field = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.step = 1};
    bool is_understood = argc % 2 == 0;
    for (int i = 2; is_understood && i < argc; i += 2)
        is_understood = take_option(&options, argv[i], argv[i + 1]);
    if (!is_understood) {
        fputs("usage: make_records COUNT [--from N] [--step N] [--round N] [--field NAME]\n",
              stderr);
        return 64;
    }
    unsigned long long count = strtoull(argv[1], NULL, 10);
    for (unsigned long long i = 0; i < count; i++)
        put_record(&options, options.from + i * options.step);
    return fflush(stdout) == 0 ? 0 : 1;
}
