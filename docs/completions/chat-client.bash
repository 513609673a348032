# Completion of chat-client for bash; written by docs/make_reference.py.
_chat_client() {
    local word=${COMP_WORDS[COMP_CWORD]} form=${COMP_WORDS[1]} options="--host --port --name --room --data-dir --tls --insecure --fingerprint --accept-new --config --help --version --theme --emoji --mouse --bell --desktop --alert --typing"
    COMPREPLY=()
    case ${COMP_WORDS[COMP_CWORD-1]} in
        --theme) COMPREPLY=($(compgen -W "auto dark light contrast 16 none" -- "$word")); return ;;
        --emoji) COMPREPLY=($(compgen -W "plain full" -- "$word")); return ;;
        --mouse) COMPREPLY=($(compgen -W "on off" -- "$word")); return ;;
        --bell) COMPREPLY=($(compgen -W "on off" -- "$word")); return ;;
        --desktop) COMPREPLY=($(compgen -W "auto osc9 osc777 off" -- "$word")); return ;;
        --alert) COMPREPLY=($(compgen -W "mentions all none" -- "$word")); return ;;
        --typing) COMPREPLY=($(compgen -W "on off" -- "$word")); return ;;
        --data-dir|--config) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --host|--port|--name|--room|--fingerprint|--to|--after|--history|--count) return ;;
    esac
    case $form in
        send) options="--host --port --name --room --data-dir --tls --insecure --fingerprint --accept-new --config --help --version --to" ;;
        tail) options="--host --port --name --room --data-dir --tls --insecure --fingerprint --accept-new --config --help --version --json --after --history --count" ;;
    esac
    [ "$COMP_CWORD" = 1 ] && options="send tail $options"
    COMPREPLY+=($(compgen -W "$options" -- "$word"))
}
complete -F _chat_client chat-client
