# Joins the tables that the connectors' conformance tests print into one: checks down, connectors across.
#
#   awk -f tests/table.awk OUTPUT-OF-THE-TESTS
#
# A kind may be tested on several servers: "partly" passed where the check applied, and one server or another gives it nothing to
# look at.

$1 == "check" && NF == 2 {
    kind = $2
    if (!(kind in known)) { known[kind]; kinds[++columns] = kind }
    next
}
kind != "" && NF == 2 && $1 ~ /^[a-z]+\.[A-Za-z0-9_]+$/ && $2 ~ /^(passed|FAILED|n\/a)$/ {
    if (!($1 in row)) { row[$1]; checks[++rows] = $1 }
    verdict = cell[$1, kind]
    if (verdict == "" || $2 == "FAILED") cell[$1, kind] = $2
    else if (verdict != "FAILED" && verdict != $2) cell[$1, kind] = "partly"
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
