# apt-data.awk: Debian's Translation-en and Packages lists (in this order) -> "package TAB JSON".
# A Packages list has only the MD5 of each description; Translation-en has the text behind it.
# Both are stanzas of "Field: value" lines; a value goes on in lines that begin with a space.

function json(s) {
    gsub(/\\/, "&&", s)
    gsub(/"/, "\\\\&", s)
    gsub(/\t/, "\\t", s)
    gsub(/\n/, "\\n", s)
    gsub(/[\001-\037\177]/, "", s)
    return "\"" s "\""
}

# One more line of a long description: " ." parts paragraphs, list items and deeper-indented lines
# keep their line, all others flow on.
function add_line(line) {
    line = substr(line, 2)
    sub(/[ \t]+$/, "", line)
    if (line == ".")
        long_text = long_text "\n\n"
    else if (long_text == "" || long_text ~ /\n$/)
        long_text = long_text line
    else
        long_text = long_text (line ~ /^([ \t]|[-*+] )/ ? "\n" : " ") line
}

function end_of_stanza(    text, group) {
    if (is_translation) {
        gsub(/^[\n ]+|[\n ]+$/, "", long_text)
        summary[md5] = short_text
        description[md5] = long_text
    } else if (package != "" && !(package in seen) && description[md5] != "" &&
               summary[md5] != "") {
        seen[package] = 1
        group = source != "" ? source : package
        text = "Summarise this package in one line:\n\n" description[md5]
        printf "%s\t{\"messages\":[{\"role\":\"user\",\"content\":%s},", package, json(text)
        printf "{\"role\":\"assistant\",\"content\":%s}],", json(summary[md5])
        printf "\"group\":%s,\"label\":%s,\"id\":%s}\n", json(group), json(section), json(package)
    }
    package = source = section = md5 = short_text = long_text = ""
    in_long = 0
}

FNR == 1 { end_of_stanza(); is_translation = FILENAME ~ /_Translation-en$/ }
/^$/ { end_of_stanza(); next }
/^ / { if (in_long) add_line($0); next }
{ in_long = 0 }
/^Package: / { package = $2 }
/^Source: / { source = $2 }
/^Section: / { section = $2 }
/^Description-md5: / { md5 = $2 }
/^Description-en: / { short_text = substr($0, 17); in_long = 1 }
END { end_of_stanza() }
