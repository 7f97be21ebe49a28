#!/bin/sh
# Grades a class as a job array of Slurm, a part of the class in each task. All tasks see the same file system.
#
#   sbatch --array=1-8 grade_array.sh SUBMISSIONS REPORTS [options of grade]
#
# A task that failed or was killed is started again alone, and goes on where it was: sbatch --export=ALL,PARTS=8 --array=3 ...
# Once all are done:
#
#   python -m autograder.staff merge SUBMISSIONS --out REPORTS [the same options]
#
#SBATCH --job-name=grade-class
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=2G
#SBATCH --time=01:00:00
set -eu
submissions=$1 reports=$2
shift 2
# Of a task that is started alone, Slurm counts one.
parts=${PARTS:-$SLURM_ARRAY_TASK_COUNT}
exec "${PYTHON:-python}" -m autograder.staff grade "$submissions" --out "$reports" "$@" \
    --shard "$SLURM_ARRAY_TASK_ID/$parts" --jobs "${SLURM_CPUS_PER_TASK:-1}"
