# Completion of chat-broker for bash; written by docs/make_reference.py.
_chat_broker() {
    local word=${COMP_WORDS[COMP_CWORD]} form=${COMP_WORDS[1]} options="--host --port --workers --data-dir --config --log-format --log-level --tls-cert --tls-key --insecure --help --version"
    COMPREPLY=()
    case ${COMP_WORDS[COMP_CWORD-1]} in
        --log-format) COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
        --log-level) COMPREPLY=($(compgen -W "debug info warning error" -- "$word")); return ;;
        --data-dir|--config|--tls-cert|--tls-key) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --host|--port|--workers) return ;;
    esac
    case $form in
        status) options="--data-dir --config --json --help" COMPREPLY=($(compgen -d -- "$word")) ;;
        check) options="--data-dir --config --help" COMPREPLY=($(compgen -d -- "$word")) ;;
    esac
    [ "$COMP_CWORD" = 1 ] && options="status check $options"
    COMPREPLY+=($(compgen -W "$options" -- "$word"))
}
complete -F _chat_broker chat-broker
