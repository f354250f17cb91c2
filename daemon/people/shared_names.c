#include "people/shared_names.h"

#include <string.h>

#define WORD_SIZE_MAX 24

/* As they are typed: with and without accents, without anything but letters. */
static const char *const words[] = {
    "accueil",
    "admin",
    "administrateur",
    "administration",
    "administrator",
    "aidesoignant",
    "aidesoignante",
    "aidesoignantes",
    "aidesoignants",
    "animation",
    "ash",
    "astreinte",
    "bureau",
    "cadre",
    "collegue",
    "common",
    "commun",
    "compte",
    "comptabilite",
    "comptabilité",
    "cuisine",
    "direction",
    "ehpad",
    "equipe",
    "équipe",
    "etage",
    "étage",
    "everybody",
    "everyone",
    "famille",
    "familles",
    "generic",
    "generique",
    "générique",
    "guest",
    "ide",
    "infirmerie",
    "infirmier",
    "infirmiere",
    "infirmière",
    "infirmieres",
    "infirmières",
    "infirmiers",
    "informatique",
    "interim",
    "intérim",
    "interimaire",
    "intérimaire",
    "invite",
    "invité",
    "kine",
    "kiné",
    "lingerie",
    "maintenance",
    "medecin",
    "médecin",
    "medecins",
    "médecins",
    "nobody",
    "nuit",
    "nurse",
    "nurses",
    "nursing",
    "office",
    "partage",
    "partagé",
    "pc",
    "personnel",
    "pharmacie",
    "poste",
    "public",
    "reception",
    "réception",
    "remplacant",
    "remplaçant",
    "remplacante",
    "remplaçante",
    "residence",
    "résidence",
    "root",
    "salle",
    "secretaire",
    "secrétaire",
    "secretariat",
    "secrétariat",
    "service",
    "shared",
    "soignant",
    "soignante",
    "soignantes",
    "soignants",
    "soin",
    "soins",
    "staff",
    "stagiaire",
    "stagiaires",
    "standard",
    "support",
    "tablette",
    "team",
    "technique",
    "temp",
    "test",
    "tous",
    "user",
    "users",
    "utilisateur",
    "utilisateurs",
    "vacataire",
    "veilleur",
    "veilleurs",
    "visitor",
    "visiteur",
    "workstation",
};

/* Letters small, of ASCII and of Latin-1 (U+00C0 to U+00DE); all bytes of other letters as they
 * are; nothing else. 0: it is longer than any word. */
static size_t letters_of(struct qn_span name, char out[WORD_SIZE_MAX])
{
    size_t size = 0;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char letter = name.data[i];
        bool is_small = letter >= 'a' && letter <= 'z', is_capital = letter >= 'A' && letter <= 'Z';
        if (letter < 0x80 && !is_small && !is_capital)
            continue;
        if (size == WORD_SIZE_MAX)
            return 0;
        bool is_latin = i > 0 && name.data[i - 1] == 0xc3 && letter >= 0x80 && letter <= 0x9e;
        out[size++] = (char)(is_capital || is_latin ? letter + 0x20 : letter);
    }
    return size;
}

bool qn_name_is_shared(struct qn_span name)
{
    char letters[WORD_SIZE_MAX];
    size_t size = letters_of(name, letters);
    for (size_t i = 0; size > 0 && i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == size && memcmp(words[i], letters, size) == 0)
            return true;
    return false;
}
