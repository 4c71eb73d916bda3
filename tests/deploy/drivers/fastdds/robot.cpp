// A ROS 2 robot as another vendor's DDS sees one: Fast DDS, which most of ROS 2 runs on.
//
//     robot DOMAIN HZ array|trajectory|echo [JOINT ...]
//
// Like joint_state_broadcaster and a position controller of ros2_control: joints are where they were
// told to be. `echo` sends each JointState of rt/echo/in back on rt/echo/out. Ends with stdin.

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/DataReaderListener.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TypeSupport.hpp>
#include <fastdds/rtps/transport/UDPv4TransportDescriptor.h>

#include "messagesPubSubTypes.h"

using namespace eprosima::fastdds::dds;
using JointState = sensor_msgs::msg::dds_::JointState_;
using Imu = sensor_msgs::msg::dds_::Imu_;
using Array = std_msgs::msg::dds_::Float64MultiArray_;
using Trajectory = trajectory_msgs::msg::dds_::JointTrajectory_;

namespace {

const char* const kStates = "rt/joint_states";
const char* const kImu = "rt/imu_sensor_broadcaster/imu";
const char* const kArray = "rt/forward_command_controller/commands";
const char* const kTrajectory = "rt/joint_trajectory_controller/joint_trajectory";

// Calls a function with each message that comes.
template <typename Message, typename Call>
class Listener : public DataReaderListener {
 public:
  explicit Listener(Call call) : call_(call) {}
  void on_data_available(DataReader* reader) override {
    Message message;
    SampleInfo info;
    while (reader->take_next_sample(&message, &info) == ReturnCode_t::RETCODE_OK) {
      if (info.valid_data) call_(message);
    }
  }

 private:
  Call call_;
};

class Node {
 public:
  explicit Node(int domain) {
    auto qos = PARTICIPANT_QOS_DEFAULT;
    auto udp = std::make_shared<eprosima::fastdds::rtps::UDPv4TransportDescriptor>();
    udp->interfaceWhiteList.push_back("127.0.0.1");
    qos.transport().use_builtin_transports = false;
    qos.transport().user_transports.push_back(udp);
    for (int index = 0; index < 20; ++index) {  // where peers of this computer listen
      eprosima::fastrtps::rtps::Locator_t peer;
      eprosima::fastrtps::rtps::IPLocator::setIPv4(peer, "127.0.0.1");
      peer.port = 7410 + 250 * domain + 2 * index;
      qos.wire_protocol().builtin.initialPeersList.push_back(peer);
    }
    participant_ = DomainParticipantFactory::get_instance()->create_participant(domain, qos);
    publisher_ = participant_->create_publisher(PUBLISHER_QOS_DEFAULT);
    subscriber_ = participant_->create_subscriber(SUBSCRIBER_QOS_DEFAULT);
  }

  DataWriter* writer(TypeSupport type, const std::string& name) {
    auto qos = DATAWRITER_QOS_DEFAULT;  // reliable, volatile, keep last 1: ros2_control's
    return publisher_->create_datawriter(topic(type, name), qos);
  }

  DataReader* reader(TypeSupport type, const std::string& name, DataReaderListener* listener) {
    auto qos = DATAREADER_QOS_DEFAULT;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.history().depth = 10;
    return subscriber_->create_datareader(topic(type, name), qos, listener);
  }

 private:
  Topic* topic(TypeSupport type, const std::string& name) {
    type.register_type(participant_);
    if (auto* found = participant_->lookup_topicdescription(name)) return static_cast<Topic*>(found);
    return participant_->create_topic(name, type.get_type_name(), TOPIC_QOS_DEFAULT);
  }

  DomainParticipant* participant_;
  Publisher* publisher_;
  Subscriber* subscriber_;
};

std_msgs::msg::dds_::Header_ header(const std::string& frame) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  std_msgs::msg::dds_::Header_ header;
  header.stamp().sec(static_cast<int32_t>(ns / 1000000000));
  header.stamp().nanosec(static_cast<uint32_t>(ns % 1000000000));
  header.frame_id(frame);
  return header;
}

void wait_for_end() {
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

void echo(Node& node) {
  auto* out = node.writer(TypeSupport(new sensor_msgs::msg::dds_::JointState_PubSubType()),
                          "rt/echo/out");
  auto back = [out](JointState& message) { out->write(&message); };
  Listener<JointState, decltype(back)> listener(back);
  node.reader(TypeSupport(new sensor_msgs::msg::dds_::JointState_PubSubType()), "rt/echo/in",
              &listener);
  std::cout << "ready" << std::endl;
  wait_for_end();
  _exit(0);
}

void drive(Node& node, double hz, bool trajectory, const std::vector<std::string>& joints) {
  std::mutex mutex;
  std::vector<double> position(joints.size(), 0.1);

  auto take_array = [&](Array& message) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (message.data().size() == position.size()) position = message.data();
  };
  auto take_trajectory = [&](Trajectory& message) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (message.points().empty()) return;
    for (size_t i = 0; i < message.joint_names().size(); ++i)
      for (size_t j = 0; j < joints.size(); ++j)
        if (joints[j] == message.joint_names()[i]) position[j] = message.points()[0].positions()[i];
  };
  Listener<Array, decltype(take_array)> arrays(take_array);
  Listener<Trajectory, decltype(take_trajectory)> trajectories(take_trajectory);
  if (trajectory) {
    node.reader(TypeSupport(new trajectory_msgs::msg::dds_::JointTrajectory_PubSubType()),
                kTrajectory, &trajectories);
  } else {
    node.reader(TypeSupport(new std_msgs::msg::dds_::Float64MultiArray_PubSubType()), kArray,
                &arrays);
  }
  auto* states =
      node.writer(TypeSupport(new sensor_msgs::msg::dds_::JointState_PubSubType()), kStates);
  auto* imus = node.writer(TypeSupport(new sensor_msgs::msg::dds_::Imu_PubSubType()), kImu);

  std::atomic<bool> ended{false};
  std::thread stdin_thread([&] { wait_for_end(); ended = true; });
  std::cout << "ready" << std::endl;
  auto tick = std::chrono::steady_clock::now();
  while (!ended) {
    Imu imu;
    imu.header(header("imu_link"));
    imu.orientation().x(0.1);
    imu.orientation().y(-0.2);
    imu.orientation().z(0.3);
    imu.orientation().w(0.9);
    imu.angular_velocity().z(0.5);
    imus->write(&imu);
    JointState state;
    state.header(header(""));
    state.name(joints);
    {
      const std::lock_guard<std::mutex> lock(mutex);
      state.position(position);
    }
    state.velocity(std::vector<double>(joints.size(), 0.25));
    states->write(&state);
    tick += std::chrono::nanoseconds(static_cast<int64_t>(1e9 / hz));
    std::this_thread::sleep_until(tick);
  }
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: robot DOMAIN HZ array|trajectory|echo [JOINT ...]" << std::endl;
    return 2;
  }
  Node node(std::atoi(argv[1]));
  const std::string mode = argv[3];
  if (mode == "echo") echo(node);
  drive(node, std::atof(argv[2]), mode == "trajectory",
        std::vector<std::string>(argv + 4, argv + argc));
}
