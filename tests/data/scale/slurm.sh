#!/usr/bin/env bash
# Starts an unmodified Slurm with two nodes, each in namespaces of its own, without systemd, and runs a command on its
# controller.
#
#   unshare --net --uts --mount --pid --fork --mount-proc --kill-child bash slurm.sh STATE COMMAND...
#
# STATE is an empty folder. Everything ends with this script: it is the first process of its PID namespace.
set -euo pipefail
state=$1
shift

mount --make-rprivate /
ip link set lo up
ip link add br0 type bridge
ip addr add 10.77.0.1/24 dev br0
ip link set br0 up
printf '127.0.0.1 localhost\n10.77.0.1 ctl\n10.77.0.11 n1\n10.77.0.12 n2\n' >"$state/hosts"
mount --bind "$state/hosts" /etc/hosts
hostname ctl

mkdir "$state/ctl" "$state/n1" "$state/n2"
cat >"$state/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=ctl
AuthType=auth/none
CredType=cred/none
SlurmUser=root
StateSaveLocation=$state/ctl
SlurmdSpoolDir=$state/%n
SlurmctldPidFile=$state/ctl.pid
SlurmdPidFile=$state/%n.pid
SlurmctldLogFile=$state/ctl.log
SlurmdLogFile=$state/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SchedulerType=sched/backfill
ReturnToService=2
MpiDefault=none
JobCompType=jobcomp/none
NodeName=n[1-2] CPUs=2 State=UNKNOWN
PartitionName=p Nodes=n[1-2] Default=YES State=UP OverSubscribe=YES
CONF
export SLURM_CONF="$state/slurm.conf"

for node in 1 2; do
    unshare --net --uts --mount --pid --fork --mount-proc --kill-child \
        bash -c "hostname n$node; touch '$state/n$node.up'; sleep infinity" &
    outer=$!
    until [ -e "$state/n$node.up" ]; do sleep 0.05; done
    inner=$(pgrep -P "$outer")
    ip link add "v$node" type veth peer name e0 netns "$inner"
    ip link set "v$node" master br0 up
    nsenter -t "$inner" -n -u -m -p bash -c "ip link set lo up; ip addr add 10.77.0.1$node/24 dev e0; ip link set e0 up; slurmd"
done
slurmctld

for _ in $(seq 300); do
    if [ "$(sinfo -h -o %D -t idle 2>/dev/null)" = 2 ]; then break; fi
    sleep 0.1
done
[ "$(sinfo -h -o %D -t idle)" = 2 ] || { sinfo >&2; tail -n 20 "$state"/*.log >&2; exit 3; }
"$@"
