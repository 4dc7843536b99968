#!/usr/bin/env bash
# What there is to ask of a GPU that is at hand for a quarter of an hour, in the order of its worth.
#
#     benchmarks/gpu/all.sh OUT [PART...]            parts: same step train attack    [all]
#     MODEL=small_cnn PEAK=1 SCALE=0.02 benchmarks/gpu/all.sh OUT      a try on a CPU
#
# same    does it run: golden trajectory, contracts, largest differences to the CPU
# step    images/s against PyTorch, share of the peak, memory, the longest operations
# train   AT and AT + SLR side by side, ResNet-18, EPOCHS over so many images of CIFAR-10 as the speed that
#         "step" found allows in TRAIN seconds: few enough to be memorised, so that overfitting begins
# attack  clean and PGD-20 on the test set, AutoAttack on 1,000 images, of final and best epochs
#
# LIMIT (560) is the time of the whole command in seconds. The machine needs JAX and PyTorch for CUDA; wheels of what else is missing lie in .whl, the images in
# .gpu/cifar10.packed (python -m benchmarks.gpu.images prepare cifar10 FILE --train 20000). Every program
# has a time limit and leaves its words in OUT as it goes, so a command that is cut off keeps what it
# found: all.txt, results.tgz. WORK (/tmp/slr-gpu) keeps data, runs and what was compiled for the next
# call on the same machine.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- same step train attack
work=${WORK:-/tmp/slr-gpu} python=${PYTHON:-python3}
model=${MODEL:-resnet18} peak=${PEAK:-989} scale=${SCALE:-1}
epochs=${EPOCHS:-60} batch=${BATCH:-128} seconds=${TRAIN:-190} end=${LIMIT:-560}
mkdir -p "$work/data"

export KERAS_BACKEND=jax XLA_PYTHON_CLIENT_PREALLOCATE=false TF_CPP_MIN_LOG_LEVEL=3 PYTHONUNBUFFERED=1
export JAX_COMPILATION_CACHE_DIR=$work/xla JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
export PYTHONPATH="$PWD:$work/site"
if compgen -G ".whl/*.whl" >/dev/null && [ ! -d "$work/site" ]; then
    $python -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$work/site" .whl/*.whl
fi
share() { awk "BEGIN { n = int($1 * $scale + 0.5); print n < 1 ? 1 : n }"; }
say() { echo "== $* ($(date +%T), ${SECONDS} s)"; }
# run SECONDS NAME MODULE WORDS...: a program with a time limit, its words to the screen and into OUT/NAME.log
run() {
    local limit=$(($1 < end - SECONDS ? $1 : end - SECONDS)) name=$2
    shift 2
    say "$*"
    [ "$limit" -gt 8 ] || { echo "-- no time left" | tee -a "$out/$name.log"; return; }
    timeout -k 5 "$limit" "$python" -m "$@" 2>&1 | tee -a "$out/$name.log"
    echo "-- exit ${PIPESTATUS[0]} after ${SECONDS} s" | tee -a "$out/$name.log"
}

same() {
    run 90 same benchmarks.gpu.golden &
    JAX_DEFAULT_MATMUL_PRECISION=highest run 80 contracts pytest -n 6 tests/contracts/test_contracts_golden.py \
        tests/contracts/test_contracts_label_bank.py tests/contracts/test_contracts_methods.py
    wait
}

step() {
    local steps; steps=$(share 20)
    measure() { run "$1" step benchmarks.gpu.step --model "$model" --peak "$peak" --steps "$steps" "${@:2}"; }
    measure 60 --batch 128 --kinds bfloat16 --peers bfloat16
    measure 90 --batch 512 --kinds bfloat16 --peers bfloat16 --profile "$work/trace"
    measure 60 --batch 128 --kinds float32 --peers float32
    measure 60 --batch 512 --kinds float32 "bfloat16, ready" --peers float32
    measure 90 --batch 512 --kinds --peers "bfloat16, compiled" # its compiler takes a minute
    measure 90 --batch 128 --kinds --peers "bfloat16, compiled"
}

# As many images as both runs can see in the time, a third of it kept for what is not steps.
images() {
    local speed; speed=$(grep -h "batch $batch .*slr_keras, bfloat16 " "$work/step.log" 2>/dev/null |
        grep -oE "[0-9,]+ images/s" | head -1 | tr -dc 0-9)
    awk "BEGIN { n = int($seconds * ${speed:-4000} * 0.66 / (2 * $epochs * 500)) * 500
                 print (n < 2500 ? 2500 : (n > 18000 ? 18000 : n)) }"
}

train() {
    local data=$work/data/cifar10.npz n
    [ -f "$data" ] || run 60 data benchmarks.gpu.images unpack .gpu/cifar10.packed "$data"
    n=$(share "${IMAGES:-$(images)}")
    say "$epochs epochs of $n images"
    for method in at slr; do
        local flags=(--data.name "$data" --data.train_samples "$n" --data.augment crop-flip
            --model.name "$model" --method.name "$method" --attack.eps 8/255 --attack.step_size 2/255
            --precision "${PRECISION:-mixed_bfloat16}" --train.epochs "$epochs" --train.batch_size "$batch"
            --optimizer.learning_rate 0.1 --optimizer.momentum 0.9 --optimizer.l2 5e-4 --schedule.name step
            --schedule.milestones "$((epochs / 2 + 1)), $((3 * epochs / 4 + 1))" --eval.every 2
            --eval.train_samples "$(share 500)" --eval.val_samples "$(share 1000)" --eval.batch_size 500
            --eval.test_samples "$(share 2000)" --no-train.tensorboard --run-dir "$work/run/$method"
            --overwrite --progress plain)
        [ "$method" = at ] || flags+=(--method.start_epoch "$((epochs * 45 / 100))")
        run "$((seconds + 90))" "train-$method" slr_keras.train "${flags[@]}" >/dev/null &
    done
    wait
    tail -n 4 "$out"/train-*.log
}

attack() {
    evaluate() { # METHOD WHICH NAME SECONDS WORDS...
        local folder=$work/run/$1
        [ -f "$folder/$2.keras" ] && run "$4" "attack-$1-$2" slr_keras.evaluate "$folder" --which "$2" \
            --batch-size 500 --progress plain --checks none --out "$folder/$3-$2.json" "${@:5}" >/dev/null
    }
    for which in final best; do
        for method in at slr; do
            evaluate $method $which pgd 90 --attacks clean pgd-20 --num-samples "$(share 10000)" &
        done
    done
    wait
    for which in final best; do
        for method in at slr; do
            evaluate $method $which evaluation "${ATTACK_SECONDS:-150}" --attacks clean autoattack \
                --num-samples "$(share 1000)" &
        done
        wait
    done
}

keep() {
    [ ! -d "$work/run" ] || tar -C "$work" -czf "$out/results.tgz" --exclude='*.keras' --exclude='checkpoints*' \
        --exclude='*.partial*' run
    cat "$out"/*.log >"$out/all.txt" && (cd "$out" && rm -f ./*.log)
}
trap keep EXIT
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | tee "$out/device.log"
for part in "$@"; do
    "$part"
    [ ! -f "$out/step.log" ] || cp "$out/step.log" "$work/step.log"
done
say "done"
