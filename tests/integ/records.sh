#!/bin/bash
# Records: values of every kind, limits, import and export, trash, conflicts and their resolution;
# and the same bytes at every site.
#
#   records.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

json_fields() {
    ctl "$1" --json record get "$2" "$3" | jq -cS .fields
}

same_fields() {
    [[ $(json_fields "$1" "$2" "$3") == "$4" ]]
}

# put_typed KEY OBJECT: set as JSON on standard input, and read back at both sites as the same JSON.
put_typed() {
    local key=$1 object=$2 wanted
    wanted=$(jq -cS . <<<"$object")
    ctl one record put things "$key" - <<<"$object" || fail "$key is not taken"
    equal "$key is read as it was written" "$wanted" "$(json_fields one things "$key")"
    await "$key is the same elsewhere" same_fields two things "$key" "$wanted"
}

repeat() {
    head -c "$2" /dev/zero | tr '\0' "$1"
}

put_from() {
    ctl "$1" record put "$2" "$3" - <"$4"
}

values() {
    put_typed kinds '{"text":"a","none":null,"yes":true,"no":false,"zero":0,"minus":-7,
        "max":9223372036854775807,"decimal":0.5,"small":-1.25e-7,"list":[1,"b",[],{}],
        "map":{"b":[null,{"c":true}],"":1}}'
    put_typed 'clé/☃ 🇫🇷' '{"名前":"日本語 ﷽ e\u0301"}'
    put_typed nul '{"text":"a\u0000b","control":"\u0001\u001b[31m\n"}'
    equal "a terminal gets no escape of a value" '' \
        "$(ctl one record get things nul | tr -cd '\033')"
    jq -cn --arg v "$(repeat x 65000)" '{v: $v}' >"$work/large.json"
    expect "a value of nearly 64 KiB" put_from one things large "$work/large.json"
    await "reaches the other" reads two things large v "\"$(repeat x 65000)\""
    jq -cn --arg v "$(repeat x 65600)" '{v: $v}' >"$work/larger.json"
    refuse 2 'large' "one beyond it is refused" put_from one things larger "$work/larger.json"
    jq -cn --arg v "$(repeat x 60000)" '{a: $v, b: $v, c: $v, d: $v, e: $v}' >"$work/much.json"
    refuse 2 'large' "so are 300 KB at once" put_from one things much "$work/much.json"
    refuse 2 'no such record' "nothing of them was kept" ctl one record get things larger
    refuse 2 'key' "a key of 256 bytes is refused" ctl one record put things "$(repeat k 256)" a=b
    expect "one of 255 is taken" ctl one record put things "$(repeat k 255)" a=b
    refuse 2 'field' "a name of a field of 128 bytes is refused" \
        ctl one record put things k "$(repeat f 128)=b"
    refuse 2 . "an empty key is refused" ctl one record put things '' a=b
    refuse 2 'too large' "endless input is refused" timeout 20 "$sites_syncctl" \
        --state "$(site_state one)" record put things k - < <(exec tr '\0' x </dev/zero)
    refuse 64 'field a is given twice' "a field is given once" ctl one record put things k a=1 a=2
    refuse 64 'field a is given twice' "also in JSON" \
        ctl one record put things k a=1 --json-value '{"a":2}'
    refuse 2 '_trash.*reserved' "the trash's field is not put" ctl one record put things k _trash=x
    refuse 2 'field b: the number' "a number beyond 64 bits names its field" \
        ctl one record put things k --json-value '{"a":1,"b":99999999999999999999}'
    refuse 64 UTF-8 "bytes that are no UTF-8 are refused" ctl one record put things k $'a=\xff\xfe'
    refuse 2 'line 1' "nothing on standard input is no JSON" put_from one things k /dev/null
    put_text deep "$(repeat '[' 31)$(repeat ']' 31)"
    refuse_deep 33
    refuse_deep 60
    refuse_deep 3000
}

put_text() {
    expect "what is nested deep is taken" ctl one record put things "$1" --json-value "{\"a\":$2}"
}

# As an argument, and as a line of a file.
refuse_deep() {
    local value
    value="{\"id\":\"deep\",\"a\":$(repeat '[' "$1")$(repeat ']' "$1")}"
    refuse 2 'nested|depth' "$1 lists in one another are refused" \
        ctl one record put things deeper --json-value "$value"
    echo "$value" >"$work/deep.jsonl"
    refuse 2 'line 1|jsonl:1' "and named in a file" \
        ctl one record import things "$work/deep.jsonl" --key id
}

partial_puts() {
    expect "two fields are a change" holds one '.changed == true' record put things p a=1 b=2
    expect "the same again is none" holds one '.changed == false' record put things p a=1
    await "reach two" reads two things p b '"2"'
    expect "two sets one of them" ctl two record put things p a=3
    await "one has it" reads one things p a '"3"'
    expect "and keeps the other" reads one things p b '"2"'
    expect "history tells who" holds one 'map(select(.field == "a" and .site == "two")) | length == 1' \
        record history things p
}

imports() {
    local file=$work/in.jsonl
    printf '{"id":"r%d","n":%d,"t":"é\\u0000"}\n' 1 1 2 2 3 3 4 4 >"$file"
    expect "JSON Lines are imported" ctl one record import lines "$file" --key id
    await "two has all" holds two 'length == 4' record list lines
    expect "again: nothing changes" ctl one record import lines "$file" --key id
    expect "no history came of it" holds one 'map(select(.replaced)) | length == 0' \
        record history lines r1
    equal "the key field is the key, not a field" '["n","t"]' \
        "$(ctl two --json record get lines r3 | jq -c '.fields | keys')"

    printf '{"id":"x1","n":1}\n{"id":"x2"\n{"id":"x3","n":1}\n' >"$work/broken.jsonl"
    refuse 2 'broken.jsonl:2|line 2|2:' "a broken line is named" \
        ctl one record import lines "$work/broken.jsonl" --key id
    printf '{"id":"x1","n":1}\n{"no":1}\n' >"$work/keyless.jsonl"
    refuse 2 'line 2|:2' "so is one without the key" \
        ctl one record import lines "$work/keyless.jsonl" --key id
    expect "nothing of them was imported" holds one 'length == 4' record list lines
    refuse 2 . "a file that is not there" ctl one record import lines "$work/none.jsonl" --key id

    printf 'id;name;note\r\nc1;"a; ""b""\nc";\r\nc2;é;x\r\n' >"$work/in.csv"
    expect "CSV is imported" ctl two record import table "$work/in.csv" --key id
    await "one reads a quoted cell" reads one table c1 name '"a; \"b\"\nc"'
    printf 'id,name,note\ns1,,\ns2,a,\n' >"$work/sparse.csv"
    expect "a row with only a key is skipped and counted" holds two \
        '. == {"changed":1,"unchanged":0,"skipped":1}' record import table "$work/sparse.csv" --key id
    refuse 2 'no such record' "it makes no record" ctl two record get table s1
    expect "an empty cell is no field" holds two '.fields == {"name":"a"}' record get table s2
    expect "the row is taken back" ctl two record erase table s2
    printf '{"id":"x1","n":1}\n{"id":"x2","n":{"m":9223372036854775808}}\n' >"$work/big.jsonl"
    refuse 2 'big.jsonl: line 2: .*field n: .*too large' "a number that is too large is named" \
        ctl one record import lines "$work/big.jsonl" --key id
    printf 'id,name\nd1,a\nd2,"b\n' >"$work/broken.csv"
    refuse 2 'line [23]|:[23]' "an open quote is named" \
        ctl one record import table "$work/broken.csv" --key id
    printf 'id,name\nd1,a\nd2,b,c\n' >"$work/wide.csv"
    refuse 2 'line 3|:3' "a row that is too long is named" \
        ctl one record import table "$work/wide.csv" --key id
    expect "nothing of them was imported" holds one 'length == 2' record list table
}

export_to() {
    ctl "$1" record export "$2" --key id "${@:4}" >"$3"
}

exports() {
    local format
    for format in jsonl csv; do
        expect "lines are exported as $format" export_to two lines "$work/out.$format" --format $format
        expect "a copy for $format" ctl two collection create "copy-$format"
        expect "and imported again" ctl two record import "copy-$format" "$work/out.$format" --key id
    done
    equal "JSON Lines come back as they were" \
        "$(ctl two --json record list lines | jq -cS 'map([.key, .fields])')" \
        "$(ctl two --json record list copy-jsonl | jq -cS 'map([.key, .fields])')"
    equal "CSV has every key" "$(ctl two --json record list lines | jq -c 'map(.key)')" \
        "$(ctl two --json record list copy-csv | jq -c 'map(.key)')"
    expect "things are exported" export_to one things "$work/things.jsonl"
    expect "a copy of them" ctl one collection create copy
    expect "imported" ctl one record import copy "$work/things.jsonl" --key id
    equal "every kind of value comes back" \
        "$(ctl one --json record list things | jq -cS 'map([.key, .fields])')" \
        "$(ctl one --json record list copy | jq -cS 'map([.key, .fields])')"
}

absent() {
    ! ctl "$1" record get "$2" "$3" >/dev/null 2>&1
}

in_trash() {
    holds "$1" "map(.key) | index(\"$3\")" record trash "$2"
}

not_in_trash() {
    holds "$1" "map(.key) | index(\"$3\") | not" record trash "$2"
}

trash() {
    expect "one deletes" ctl one record delete lines r1
    await "two no longer finds it" absent two lines r1
    expect "nor lists it" holds two 'map(.key) == ["r2","r3","r4"]' record list lines
    expect "nor counts it" holds two '.collections[] | select(.name == "lines") | .records == 3' status
    expect "it lies in the trash" in_trash two lines r1
    expect "two restores it" ctl two record restore lines r1
    await "one finds it" reads one lines r1 n 1
    refuse 2 'trash' "what is not in the trash is not restored" ctl one record restore lines r1
    expect "two deletes it" ctl two record delete lines r1
    await "one has it in the trash" in_trash one lines r1
    expect "one erases it for good" ctl one record erase lines r1
    await "two has it no more" not_in_trash two lines r1
    refuse 2 . "and cannot restore it" ctl two record restore lines r1
    expect "a deleted record is written anew" ctl one record delete lines r2
    expect "with other fields" ctl one record put lines r2 fresh=yes
    await "the old ones are gone" same_fields two lines r2 '{"fresh":"yes"}'
    refuse 2 'no such record' "no record, nothing to delete" ctl one record delete lines r9
    empty_trash
}

empty_trash() {
    expect "two more are deleted" ctl one record delete lines r3
    expect "both" ctl one record delete lines r4
    expect "one counts" holds one '.erased == 2' record empty-trash lines --dry-run
    expect "and leaves them" in_trash one lines r3
    expect "none is old enough" holds one '.erased == 0' record empty-trash lines --older-than 30d
    refuse 64 'older-than' "what is no time" ctl one record empty-trash lines --older-than soon
    refuse 2 . "no such collection" ctl one record empty-trash nowhere
    expect "one empties it" holds one '.erased == 2 and .kept == 0' record empty-trash lines
    await "two has nothing in it either" holds two '. == []' record trash lines
    equal "people read a sentence" 'records erased for good, at all sites: 0' \
        "$(ctl one record empty-trash lines)"
}

alone() {
    local name=$1
    for other in one two; do
        [[ $other == "$name" ]] || site_stop "$other"
    done
    [[ -n ${site_pid[$name]:-} ]] || site_start "$name"
}

both() {
    local name
    for name in one two; do
        [[ -n ${site_pid[$name]:-} ]] || site_start "$name"
    done
}

conflicts() {
    expect "something to disagree on" ctl one record put things c a=0 b=0
    expect "and to delete" ctl one record put things contested a=0
    expect "and to delete, too" ctl one record put things contested2 a=0
    await "two has the last" has_record two things contested2
    alone one
    expect "one writes alone" ctl one record put things c a=one b=one same=x
    expect "and deletes" ctl one record delete things contested
    expect "and deletes more" ctl one record delete things contested2
    alone two
    expect "two writes alone" ctl two record put things c a=two b=two same=x
    expect "and edits what one deletes" ctl two record put things contested a=edited
    expect "and more" ctl two record put things contested2 a=edited
    both
    local name
    for name in one two; do
        await "$name has both values" holds "$name" \
            '[.conflicts.a[].value] | sort == ["one","two"]' record get things c
        await "$name shows the deletion beside the edit" holds "$name" \
            '.conflicts._trash | map(.value) | sort == [false,true]' record get things contested
        expect "$name lists them" holds "$name" 'map(.key) | sort == ["c","contested","contested2"]' \
            conflict list
        expect "equal values are none" holds "$name" '.conflicts | has("same") | not' record get things c
        expect "$name counts three" holds "$name" \
            '.collections[] | select(.name == "things") | .conflicts == 3' status
    done
    equal "the shown value is the same" "$(json_fields one things c)" "$(json_fields two things c)"
    refuse 2 . "a site that wrote none" ctl one conflict resolve things c a --take three
    refuse 2 'no conflict' "a field without conflict" ctl one conflict resolve things c same --take one
    expect "one takes two's value" ctl one conflict resolve things c a --take two
    await "two agrees" holds two '.fields.a == "two" and (.conflicts | has("a") | not)' record get things c
    expect "two gives a value of its own" ctl two conflict resolve things c b --value third
    await "one agrees" holds one '.fields.b == "third" and (has("conflicts") | not)' record get things c
    expect "the deletion is chosen" ctl two conflict resolve things contested _trash --take one
    await "one no longer finds it" absent one things contested
    expect "the edit is chosen" ctl one conflict resolve things contested2 _trash --take two
    await "two finds it" holds two '.fields.a == "edited" and (has("conflicts") | not)' \
        record get things contested2
    await "no conflict is left" holds two 'length == 0' conflict list
}

same_bytes() {
    local name collection
    for name in one two; do
        await "$name is identical" is_identical "$name"
    done
    for collection in things lines table; do
        for name in one two; do
            ctl "$name" --json record list "$collection" >"$work/list.$name"
        done
        cmp "$work/list.one" "$work/list.two" || fail "record list --json of $collection differs"
        jq -e 'type == "array"' "$work/list.one" >/dev/null || fail "no array"
    done
    ok "record list --json has the same bytes at both"
    expect "a limit" holds one 'length == 2' record list things --limit 2
    expect "a prefix" holds one 'map(.key) == ["contested2"]' record list things --prefix cont
}

begin "$1" "$2" one two
found_group one two
for collection in things lines table; do
    expect "the collection $collection" ctl one collection create "$collection"
    await "is at two" has_collection two "$collection"
done
values
partial_puts
imports
exports
trash
conflicts
same_bytes
