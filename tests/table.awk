# Joins the tables that the connectors' conformance tests print into one: checks down, connectors across.
#
#   awk -f tests/table.awk OUTPUT-OF-THE-TESTS
#
# A kind that was tested on several servers counts as passed where all of them passed.

$1 == "check" && NF == 2 {
    kind = $2
    if (!(kind in known)) { known[kind]; kinds[++columns] = kind }
    next
}
kind != "" && NF == 2 && $1 ~ /^[a-z]+\.[A-Za-z0-9_]+$/ && $2 ~ /^(passed|FAILED|n\/a)$/ {
    if (!($1 in row)) { row[$1]; checks[++rows] = $1 }
    verdict = cell[$1, kind]
    if (verdict == "" || $2 == "FAILED" || (verdict == "passed" && $2 == "n/a")) cell[$1, kind] = $2
    next
}
{ if (NF == 0) kind = "" }

END {
    if (columns == 0) { print "no connector printed its table" > "/dev/stderr"; exit 1 }
    printf "%-62s", "check"
    for (column = 1; column <= columns; column++) printf "  %-12s", kinds[column]
    print ""
    for (line = 1; line <= rows; line++) {
        printf "%-62s", checks[line]
        for (column = 1; column <= columns; column++) {
            verdict = cell[checks[line], kinds[column]]
            printf "  %-12s", verdict == "" ? "-" : verdict
        }
        print ""
    }
}
