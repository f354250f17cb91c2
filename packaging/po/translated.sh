#!/bin/sh
# What of a catalogue is the translation of some sources, for builds that make a file of it.
#
#   translated.sh FR.PO XGETTEXT_ARGUMENT... > translated.po
set -eu
catalogue=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
xgettext --from-code=UTF-8 --output="$work/sources.pot" "$@"
sed -i 's/charset=CHARSET/charset=UTF-8/' "$work/sources.pot"
msgmerge --quiet --no-fuzzy-matching --output-file="$work/merged.po" "$catalogue" "$work/sources.pot"
msgattrib --no-obsolete --translated --no-wrap "$work/merged.po"
