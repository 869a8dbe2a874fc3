# bash completion of nfconntrack

_nfconntrack_protocol() {
  local at
  for ((at = ${#COMP_WORDS[@]} - 1; at > 0; at--)); do
    case ${COMP_WORDS[at]} in
      -p | --protonum) printf '%s' "${COMP_WORDS[at + 1],,}" && return ;;
      -p?*) printf '%s' "${COMP_WORDS[at]#-p}" && return ;;
    esac
  done
}

_nfconntrack_protocol_options() {
  local ports='--sport --dport --reply-port-src --reply-port-dst'
  case $(_nfconntrack_protocol) in
    tcp) printf '%s' "$ports --state" ;;
    udp | udplite) printf '%s' "$ports" ;;
    sctp) printf '%s' "$ports --state --orig-vtag --reply-vtag" ;;
    dccp) printf '%s' "$ports --state --role" ;;
    icmp) printf '%s' '--icmp-type --icmp-code --icmp-id' ;;
    icmpv6) printf '%s' '--icmpv6-type --icmpv6-code --icmpv6-id' ;;
    gre) printf '%s' '--srckey --dstkey --reply-key-src --reply-key-dst' ;;
  esac
}

# Completes the last word of a list such as NEW,UPDATES.
_nfconntrack_list() {
  local done=''
  [[ $2 == *,* ]] && done=${2%,*},
  mapfile -t COMPREPLY < <(compgen -P "$done" -W "$1" -- "${2##*,}")
  compopt -o nospace
}

_nfconntrack() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
  COMPREPLY=()
  case $before in
    -o | --output) _nfconntrack_list 'xml save json extended id timestamp ktimestamp labels' "$word" ;;
    -e | --event-mask) _nfconntrack_list 'ALL NEW UPDATES DESTROY' "$word" ;;
    -u | --status)
      _nfconntrack_list 'ASSURED SEEN_REPLY UNREPLIED FIXED_TIMEOUT EXPECTED OFFLOAD HW_OFFLOAD' "$word"
      ;;
    -p | --protonum) words='tcp udp udplite icmp icmpv6 sctp dccp gre' ;;
    -f | --family) words='ipv4 ipv6' ;;
    --state) words='NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE' ;;
    --netns) words=$(command ls /run/netns 2>/dev/null) ;;
    -R | -M | --labelmap | --load-file) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    -L | --dump) words='conntrack expect dying unconfirmed' ;;
    -D | -G | -I | -E | -F | -C | -S) words='conntrack expect' ;;
    sysctl) words=$(cd /proc/sys/net/netfilter 2>/dev/null && printf '%s ' nf_conntrack_*) ;;
    nfconntrack) words='doctor sysctl demo' ;;
  esac
  if [[ -n $words && $word != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif [[ $word == -* ]]; then
    words="--dump --get --delete --create --add --update --event --flush --counter --stats --version --help
      --src --dst --reply-src --reply-dst --protonum --timeout --status --zero --event-mask --tuple-src
      --tuple-dst --mask-src --mask-dst --mark --id --family --src-nat --dst-nat --any-nat --output
      --buffer-size --zone --label --label-add --label-del --labelmap --orig-zone --reply-zone --load-file
      --where --explain --dry-run --netns --compat $(_nfconntrack_protocol_options)"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  fi
}

complete -F _nfconntrack nfconntrack
