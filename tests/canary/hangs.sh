# Never ends.
echo "ok - first"
sleep 1000
