# Fails without a word.
exit 1
