#!/bin/sh
# The French of the words of this room as a table in C, made from the catalogue of everything else.
#
#   french.sh FR.PO FOLDER_OF_THE_ROOM FRENCH.C
#
# Strings of a catalogue are written as those of C are, so they go over as they stand.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$(dirname "$0")/../../packaging/po/translated.sh" "$1" --language=C --keyword=N_ --keyword=N2_:1,2 "$2"/*.c \
    >"$work/done.po"
awk '
    function row(text, french) { if (text != "" && text != "\"\"" && french != "") printf "    {%s, %s},\n", text, french }
    function flush() { row(of["msgid"], of["msgstr"]); row(of["msgid"], of["msgstr[0]"])
                       row(of["msgid_plural"], of["msgstr[1]"]); delete of; key = "" }
    BEGIN { print "#include \"words/tongue_private.h\"\n"
            print "const struct french_row french_rows[] = {" }
    /^msg/ { if ($1 == "msgid") flush(); key = $1; of[key] = substr($0, length(key) + 2); next }
    /^"/   { of[key] = of[key] " " $0 }
    END    { flush(); print "};"
             print "const size_t french_row_count = sizeof(french_rows) / sizeof(french_rows[0]);" }
' "$work/done.po" >"$work/french.c"
mv "$work/french.c" "$3"
