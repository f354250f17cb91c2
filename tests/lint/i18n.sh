#!/bin/bash
# Every string for a person is marked for translation, stands in quoin.pot, and is French in fr.po.
#
#   i18n.sh SOURCE            checks
#   i18n.sh SOURCE --write    makes packaging/po/quoin.pot again and adds what is new to fr.po
set -euo pipefail
cd "$1"
sources=(tools/syncctl/*.c daemon/app/*.c daemon/words/*.c)
page=(daemon/serve/page/*.js)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    echo "$*" >&2
    failures=$((failures + 1))
}

extract() {
    xgettext --language=C --from-code=UTF-8 --package-name=quoin --add-location=file --sort-output \
        --keyword=_ --keyword=N_ --keyword=N2_:1,2 --keyword=ngettext:1,2 --output="$1" "${sources[@]}"
    xgettext --language=JavaScript --from-code=UTF-8 --add-location=file --sort-output --join-existing \
        --keyword=_ --output="$1" "${page[@]}"
    sed -i -e '/^"POT-Creation-Date/d' -e 's/charset=CHARSET/charset=UTF-8/' "$1"
}

extract "$work/quoin.pot"
if [[ ${2:-} == --write ]]; then
    cp "$work/quoin.pot" packaging/po/quoin.pot
    msgmerge --quiet --no-fuzzy-matching --no-location --update --backup=none \
        packaging/po/fr.po packaging/po/quoin.pot
    exit
fi

msgfmt --check --statistics --output-file=/dev/null packaging/po/fr.po 2>"$work/statistics" ||
    fail "packaging/po/fr.po: $(cat "$work/statistics")"
cat "$work/statistics"
! grep -qE 'fuzzy|untranslated' "$work/statistics" || fail "packaging/po/fr.po is not complete"
for catalogue in quoin.pot fr.po; do
    msgcmp --use-untranslated "packaging/po/$catalogue" "$work/quoin.pot" 2>"$work/missing" ||
        fail "packaging/po/$catalogue lacks strings: $(cat "$work/missing")"
done

# Letters printed without translation: only JSON, the program's own name, the completion, the log.
unmarked=$(grep -nE '(printf\((ctl->|report->|progress->)?[a-z]+, |fputs\(|ctl_say\(ctl, |error\(ctl, )"[^"]*[A-Za-z]{3}' \
    "${sources[@]}" | sed -E 's/%[0-9.*]*(ll|z)?[a-z]//g; s/\\[nrtu]//g' |
    grep -E '^[^"]*"[^"]*[A-Za-z]{3}' |
    grep -vE 'completion\.c:|daemon/app/log\.c:|\\"|"null"|"true"|"syncctl|\(Quoin|"\\033' || true)
[[ -z $unmarked ]] || fail "not marked for translation:"$'\n'"$unmarked"

# French puts a space that does not break before these signs.
broken=$(msgcat --no-wrap packaging/po/fr.po | grep -nE '^msgstr.* [:;!?]' || true)
[[ -z $broken ]] || fail "a breaking space before a sign:"$'\n'"$broken"
[[ $failures == 0 ]]
