# What failed in the output of `cargo test --show-output`: each failed test's own words, without the frames of backtraces.
/^error/ { print }
/^failures:$/ { told = 1 }
/^test result:/ { told = 0 }
told && !/^ +[0-9]+: / && !/^ +at / { print }
