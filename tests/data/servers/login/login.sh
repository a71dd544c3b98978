# Logs in on the connection, which is descriptor 3: PASSWORD.
read -r word challenge <&3 || { echo 'the server closed the connection' >&2; exit 1; }
digest=$(printf '%s%s' "$1" "$challenge" | sha256sum)
printf '%s\n' "${digest%% *}" >&3
read -r word <&3
[ "$word" = welcome ] || { echo refused >&2; exit 1; }
