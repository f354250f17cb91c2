#!/bin/sh
# The French words of the page as a JavaScript module, made from the catalogue.
#
#   french.sh FR.PO FOLDER_OF_THE_PAGE FRENCH.JS
#
# gettext writes them as Java properties: blanks, ':', '=' and the like behind a backslash in the
# key, letters beyond ASCII as \uXXXX, which JavaScript reads too.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$(dirname "$0")/../../../packaging/po/translated.sh" "$1" --language=JavaScript --keyword=_ "$2"/*.js \
    >"$work/done.po"
{
    echo 'export default {'
    msgcat --properties-output "$work/done.po" | sed -E -n \
        -e '/^[#!]/d; /^$/d' \
        -e 's/"/\\"/g' \
        -e 's/^((\\.|[^\\=])*)=(.*)$/  "\1": "\3",/' \
        -e 's/\\([ :=#!])/\1/g; p'
    echo '};'
} >"$work/french.js"
mv "$work/french.js" "$3"
